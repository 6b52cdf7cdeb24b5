// SPDX-License-Identifier: LGPL-2.1-or-later

// How long the process lives: it holds a lock on its control folder until it is
// gone, by whatever death, and with -parent it ends itself when that process
// ends, so that a test that was killed leaves no peer behind. Used by main.go.

package main

import (
	"fmt"
	"os"
	"syscall"
)

// lockFolder takes the folder for as long as the process lives; simctl stop
// waits for the lock, which also a kill -9 lets go.
func lockFolder() error {
	d, err := os.Open(".")
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another one is running in this folder; simctl stop ends it")
	}
	folderLock = d
	return nil
}

// folderLock keeps the descriptor from being collected.
var folderLock *os.File

const sysPidfdOpen = 434

// watchParent sends a SIGTERM to us when the process pid has ended.
func watchParent(pid int, stop chan<- os.Signal) error {
	fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
	if errno != 0 {
		return fmt.Errorf("-parent %d: %v", pid, errno)
	}
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	if err := syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, int(fd), &syscall.EpollEvent{Events: syscall.EPOLLIN}); err != nil {
		return err
	}
	go func() {
		events := make([]syscall.EpollEvent, 1)
		for {
			n, err := syscall.EpollWait(ep, events, -1)
			if n > 0 || (err != nil && err != syscall.EINTR) {
				stop <- syscall.SIGTERM
				return
			}
		}
	}()
	return nil
}
