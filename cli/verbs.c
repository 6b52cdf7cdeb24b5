/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of verbs. --help is made of it; the man page and the completion are compared with it by
 * tests/unit/ctl-words.sh.
 */
#include "ctl.h"

#define RIGHT(name)      "The right com.sendense.hub." name " is needed."
#define NODE_RIGHT(name) "The right com.sendense.node." name " is needed."

#define OPTIONS_START                                                                           \
        OPTIONS(OPTION_REPOSITORY, OPTION_TYPE, OPTION_FULL, OPTION_INCREMENTAL, OPTION_SOURCE, \
                OPTION_EXCLUDE, OPTION_WAIT, OPTION_THROUGH)

const Verb verbs[] = {
        { "status", "", 0, 0, NULL,
          "Show the hub, its database, jobs, repositories, nodes and policies",
          "Asks the hub on the bus, and the node when one runs here; starts neither. " RIGHT(
                          "inspect") "\n"
                                     "Exit status 3 when it is not in the state \"running\", a "
                                     "repository failed its check, a node has an error, or a "
                                     "policy "
                                     "no timer.",
          verb_status },
        { "doctor", "", 0, 0, OPTIONS(OPTION_ROOT),
          "Look for what is wrong, and say what to do about it",
          "Has the hub look at its database, folders, rights and ports; looks itself at versions, "
          "tools and\nunits that failed. When the hub does not run, asks systemd how the units "
          "stand that it needs. Where a node runs, looks at its units, "
          "settings,\n"
          "tokens and tools, too. " RIGHT(
                          "inspect") "\n"
                                     "Exit status 3 when any verdict is not \"ok\".",
          verb_doctor },
        { "version", "", 0, 0, OPTIONS(OPTION_ROOT),
          "Compare all programs, the running hub and the database schema",
          "Compares version and commit of all installed programs, the build id of the running hub\n"
          "with that of its file, and the schema of the database with the one the hub was built "
          "for.\n"
          "Does not start the hub. Exit status 3 and a line for each thing that differs.",
          verb_version },
        { "repository list", "", 0, 0, NULL, "List the repositories and their free space",
          "State and space are those of the hub's last look at each. " RIGHT("inspect"),
          verb_repository_list },
        { "repository show", "NAME", 1, 1, NULL, "Show one repository",
          "NAME is its name or its id. " RIGHT("inspect"), verb_repository_show },
        { "repository add", "NAME PATH", 2, 2, NULL, "Add a repository",
          "PATH is a folder that the hub owns: install -d -o sendense -g sendense-export -m 2750 "
          "PATH.\nThe hub looks at it first, and marks an empty one as its own. " RIGHT("manage"),
          verb_repository_add },
        { "repository remove", "NAME", 1, 1, NULL, "Forget a repository that no job refers to",
          "Its folder stays as it is. " RIGHT("manage"), verb_repository_remove },
        { "repository check", "NAME", 1, 1, NULL, "Have the hub look at a repository now",
          "Is it mounted, writable, its own, and how much is free? " RIGHT(
                          "inspect") "\n"
                                     "Exit status 3 when its state is not \"ok\".",
          verb_repository_check },
        { "repository scan", "NAME", 1, 1, NULL, "Read a repository's records into the database",
          "Adds backups that the database does not know; changes nothing in the repository. It "
          "may\n"
          "take long. " RIGHT("manage") " Exit status 3 when it met a problem.",
          verb_repository_scan },
        { "vm list", "", 0, 0, NULL, "List the VMs that the hub knows", RIGHT("inspect"),
          verb_vm_list },
        { "vm show", "VM", 1, 1, NULL, "Show one VM and its disks",
          "VM is a name, context id or instance uuid. " RIGHT("inspect"), verb_vm_show },
        { "vm set", "FILE", 1, 1, NULL, "Tell the hub what a VM is",
          "FILE (\"-\": standard input) is JSON:\n"
          "  {\"instance_uuid\", \"name\", \"path\", \"disks\": [{\"key\", \"unit_number\",\n"
          "   \"controller\", \"capacity_bytes\", \"backing_uuid\" (optional)}]}\n"
          "Prints the VM's context id. " RIGHT("manage"),
          verb_vm_set },
        { "vm discover", "VCENTER [VM]", 1, 2, OPTIONS(OPTION_ENTER),
          "Look which VMs a vCenter has, or have one backed up",
          "VM is a name, path or instance uuid: this one is told to the hub, or brought up to "
          "date. "
          "Without\none all are shown, and with --enter told to the hub. " RIGHT(
                          "backup") " To enter\nany, com.sendense.hub.manage.",
          verb_vm_discover },
        { "vcenter list", "", 0, 0, NULL, "List the vCenters", RIGHT("inspect"),
          verb_vcenter_list },
        { "vcenter show", "NAME", 1, 1, NULL, "Show one vCenter", RIGHT("inspect"),
          verb_vcenter_show },
        { "vcenter add", "NAME HOST", 2, 2,
          OPTIONS(OPTION_USER, OPTION_PORT, OPTION_PIN, OPTION_ACCEPT_CERTIFICATE,
                  OPTION_PASSWORD_FILE, OPTION_PASSWORD_FD, OPTION_THROUGH, OPTION_UNTESTED),
          "Add a vCenter and its login",
          "The password is typed, or comes from a private file or a descriptor. Unless a CA of the "
          "node's\nsystem vouches for its certificate, it is shown, to be compared and pinned. The "
          "login is tried\nfirst. " RIGHT("manage"),
          verb_vcenter_add },
        { "vcenter test", "NAME", 1, 1, NULL, "Log in at a vCenter, and show what it is",
          RIGHT("manage"), verb_vcenter_test },
        { "vcenter rotate", "NAME", 1, 1,
          OPTIONS(OPTION_USER, OPTION_PIN, OPTION_ACCEPT_CERTIFICATE, OPTION_PASSWORD_FILE,
                  OPTION_PASSWORD_FD, OPTION_UNTESTED),
          "Give a vCenter another password",
          "It is tried first, and only then takes the place of the old one. " RIGHT("manage"),
          verb_vcenter_rotate },
        { "vcenter remove", "NAME", 1, 1, OPTIONS(OPTION_FORCE),
          "Remove a vCenter, and forget its password",
          "Refused while VMs are known to be of it; with --force they stay, and belong to "
          "none. " RIGHT("manage"),
          verb_vcenter_remove },
        { "backup start", "VM", 1, 1, OPTIONS_START, "Start the backup of a VM",
          "VM is a name, context id or instance uuid. Prints the job; with --wait, follows it as\n"
          "\"job watch\" does. A disk that cannot be read incrementally is read in full.\n" RIGHT(
                          "backup") " --source also needs com.sendense.hub.manage, and\n"
                                    "AllowSources=yes in hub.conf.",
          verb_backup_start },
        { "backup list", "[VM]", 0, 1, OPTIONS(OPTION_REPOSITORY, OPTION_LIMIT),
          "List completed backups, the newest first", RIGHT("inspect"), verb_backup_list },
        { "backup show", "BACKUP", 1, 1, NULL, "Show a backup, its disks and its history",
          "BACKUP is an id, as \"backup list\" has it.\n" RIGHT("inspect"), verb_backup_show },
        { "backup mount", "BACKUP [DISK]", 1, 257,
          OPTIONS(OPTION_WRITABLE, OPTION_EXPIRES, OPTION_TCP, OPTION_AT),
          "Serve the disks of a backup as block devices for a while",
          "At once, and without copying: as NBD on unix sockets that you and root may connect to, "
          "of "
          "all\ndisks or those whose keys are given, one or more. Prints their addresses, and what "
          "to do with "
          "them. It ends\nby \"backup umount\", by itself after 8 hours or --expires=, and with "
          "the "
          "machine.\nWith --at= each disk is also a file KEY.raw of that folder, for as long as "
          "the mount "
          "is there.\n" RIGHT("restore") " --tcp needs com.sendense.hub.manage.",
          verb_backup_mount },
        { "backup umount", "MOUNT", 1, 1, NULL, "End a mount, or all of a backup",
          "MOUNT is the number of its job, or the id of the backup. What was written into it is "
          "gone. Clients are cut off. " RIGHT("restore"),
          verb_backup_umount },
        { "mount list", "[BACKUP]", 0, 1, NULL, "List what is mounted", RIGHT("inspect"),
          verb_mount_list },
        { "restore disk", "BACKUP DISK TARGET", 3, 3,
          OPTIONS(OPTION_FORMAT, OPTION_FORCE, OPTION_DAMAGED_OK, OPTION_WAIT),
          "Restore a disk of a backup",
          "DISK is its key; TARGET the absolute path of a file or a block device of the hub's "
          "machine, or\nnbd://HOST[:PORT]/EXPORT, or nbd+unix:///EXPORT?socket=PATH. A file "
          "appears when it is complete.\nOn a terminal, or with --wait, follows the job as \"job "
          "watch\" does; else prints it.\n" RIGHT(
                          "restore") " A device or NBD also needs\ncom.sendense.hub.manage.",
          verb_restore_disk },
        { "restore disks", "BACKUP FOLDER", 2, 2,
          OPTIONS(OPTION_FORMAT, OPTION_FORCE, OPTION_DAMAGED_OK),
          "Restore all disks of a backup into a folder",
          "One after the other, as FOLDER/BACKUP-DISK.FORMAT; each job is followed. " RIGHT(
                          "restore"),
          verb_restore_disks },
        { "restore vm", "BACKUP", 1, 1,
          OPTIONS(OPTION_VCENTER, OPTION_NAME, OPTION_FOLDER, OPTION_POOL, OPTION_HOST,
                  OPTION_DATASTORE, OPTION_NETWORK, OPTION_POWER_ON, OPTION_KEEP_MACS,
                  OPTION_IN_PLACE, OPTION_KEEP_DISKS, OPTION_FORCE, OPTION_NO_VERIFY,
                  OPTION_DAMAGED_OK, OPTION_THROUGH, OPTION_WAIT),
          "Restore a VM into vCenter, as a new one or into itself",
          "With the hardware that the backup recorded. A VM of that name is never touched: choose "
          "another\n--name= or --folder=. --force leaves out network cards whose network is not "
          "there. With --in-place\nthe VM stays what it is, and gets the disks of the backup; it "
          "must be switched off and have no\nsnapshots, and its next backup is a full. On a "
          "terminal, or with --wait, follows the job as\n\"job watch\" does; else prints "
          "it. " RIGHT("restore"),
          verb_restore_vm },
        { "backup verify", "[BACKUP]", 0, 1,
          OPTIONS(OPTION_NO_CHAIN, OPTION_WAIT, OPTION_ALL, OPTION_OLDER_THAN, OPTION_VM,
                  OPTION_REPOSITORY),
          "Read a backup back and compare it",
          "Every block of its layers, and of those below, is compared with its digest. Prints the "
          "job,\nwhich fails when there is damage; with --wait, follows it as \"job watch\" does. "
          "With --all,\nwithout a backup, all chains that are due. " RIGHT("backup"),
          verb_backup_verify },
        { "backup tree", "VM", 1, 1, NULL, "Show the layers that the backups of a VM are made of",
          "Disk by disk, the oldest first: what each layer builds on, and how much it "
          "holds.\n" RIGHT("inspect"),
          verb_backup_tree },
        { "backup delete", "BACKUP", 1, 1, OPTIONS(OPTION_FORCE, OPTION_WAIT), "Delete a backup",
          "What later backups need of it goes into them first. The last sound backup of a VM goes "
          "with\n--force alone. Prints the job; with --wait, follows it as \"job watch\" "
          "does.\n" RIGHT("delete"),
          verb_backup_delete },
        { "backup files ls", "BACKUP [PATH]", 1, 257,
          OPTIONS(OPTION_FILESYSTEM, OPTION_FILESYSTEMS, OPTION_RECURSIVE, OPTION_LONG),
          "List files in a backup",
          "BACKUP is an id, or a VM: its newest. PATH, one or more, is / when there is none. A "
          "name that is\nno plain text is shown with \\n, \\t, \\xHH and \\\\, and PATH takes "
          "these. With --json, a line for\neach. " RIGHT("restore"),
          verb_files_ls },
        { "backup files get", "BACKUP PATH", 2, 257,
          OPTIONS(OPTION_FILESYSTEM, OPTION_INTO, OPTION_DEVICES), "Get files out of a backup",
          "They lie below DIR as in the guest; what is there already stays as it is. No name and "
          "no "
          "link\nleads out of DIR. Owners are kept for root; device nodes are left out. Exit "
          "status 1 "
          "when\nanything is missing. " RIGHT("restore"),
          verb_files_get },
        { "backup files tar", "BACKUP PATH", 2, 257, OPTIONS(OPTION_FILESYSTEM),
          "Write files of a backup as a tar stream to standard output",
          "With owners, times, attributes, hard links and holes. Exit status 1 when it is not "
          "whole.\n" RIGHT("restore"),
          verb_files_tar },
        /* After all verbs that begin with this word. */
        { "backup", "VM", 1, 1, OPTIONS_START, "Back up a VM: the same as \"backup start\"",
          "For a VM that is called as one of the verbs above, say \"backup start\". " RIGHT(
                          "backup"),
          verb_backup_start },
        { "policy list", "", 0, 0, NULL, "List the policies, and when they run next",
          RIGHT("inspect"), verb_policy_list },
        { "policy show", "NAME", 1, 1, NULL, "Show one policy and its last runs", RIGHT("inspect"),
          verb_policy_show },
        { "policy set", "NAME", 1, 1,
          OPTIONS(OPTION_VM, OPTION_EXCEPT, OPTION_CALENDAR, OPTION_RANDOM_DELAY, OPTION_PERSISTENT,
                  OPTION_ENABLED, OPTION_REPOSITORY, OPTION_THROUGH, OPTION_FULL_EVERY,
                  OPTION_KEEP_LAST, OPTION_KEEP_HOURLY, OPTION_KEEP_DAILY, OPTION_KEEP_WEEKLY,
                  OPTION_KEEP_MONTHLY, OPTION_KEEP_YEARLY),
          "Make or change a policy: what is backed up when, and what is kept",
          "--vm= may be given several times, and is a name with wildcards, a path with wildcards "
          "if "
          "it has\na slash, a context id or an instance uuid. What is not given stays as it is. "
          "With "
          "no --keep-…=\nnothing is deleted. " RIGHT("manage"),
          verb_policy_set },
        { "policy remove", "NAME", 1, 1, NULL, "Remove a policy and its timer; backups stay",
          RIGHT("manage"), verb_policy_remove },
        { "policy run", "NAME", 1, 1, OPTIONS(OPTION_WAIT), "Run a policy now",
          "Prints the run. With --wait it ends when the run is over, with status 1 when that "
          "failed "
          "for any VM; the hub may be restarted meanwhile. " RIGHT("backup"),
          verb_policy_run },
        { "policy prune", "NAME", 1, 1, OPTIONS(OPTION_DRY_RUN, OPTION_VM, OPTION_WAIT),
          "Delete what a policy does not keep",
          "Shows each backup, whether it stays, and why. With --dry-run, nothing is deleted; "
          "--vm= goes\nwith that, and shows one VM. " RIGHT("delete"),
          verb_policy_prune },
        { "job list", "", 0, 0, OPTIONS(OPTION_STATE, OPTION_VM, OPTION_LIMIT),
          "List jobs, the newest first", RIGHT("inspect"), verb_job_list },
        { "job show", "ID", 1, 1, NULL, "Show a job, its disks and its history", RIGHT("inspect"),
          verb_job_show },
        { "job watch", "ID", 1, 1, NULL, "Follow a job to its end",
          "Shows each step and the progress; with --json one JSON object a line. A restart of the "
          "hub\ndoes not end it. Ctrl-C ends the watching alone, with exit status 130.\n" RIGHT(
                          "inspect") "\n"
                                     "Exit status 0 when the job completed, 1 when it failed, 3 "
                                     "when it "
                                     "was cancelled.",
          verb_job_watch },
        { "job cancel", "ID", 1, 1, OPTIONS(OPTION_WAIT), "Cancel a job",
          "What it made is undone. With --wait, follows it to its end, with exit status 0 when it "
          "was\ncancelled, 1 when it failed, 3 when it completed before. " RIGHT("backup"),
          verb_job_cancel },
        { "port list", "", 0, 0, NULL, "List the export ports that are in use", RIGHT("inspect"),
          verb_port_list },
        { "obligation list", "", 0, 0, NULL, "List what the hub still has to undo",
          "What a job that failed left behind, and when the hub tries again. " RIGHT("inspect"),
          verb_obligation_list },
        { "obligation forgive", "ID", 1, 1, NULL, "End what nobody can undo any more",
          "For a snapshot whose node was removed or has lost its folder, and files of a repository "
          "that is\ngone. Nothing is undone; the job's history tells who forgave it. " RIGHT(
                          "manage"),
          verb_obligation_forgive },
        { "cleanup", "", 0, 0, NULL, "Have the hub undo now what it still has to",
          "Prints what was undone. " RIGHT("manage"), verb_cleanup },
        { "node list", "", 0, 0, NULL, "List the nodes", RIGHT("inspect"), verb_node_list },
        { "node show", "NAME", 1, 1, NULL, "Show one node", RIGHT("inspect"), verb_node_show },
        { "node add", "NAME", 1, 1,
          OPTIONS(OPTION_HUB, OPTION_REVERSE_PORT, OPTION_EXPIRES, OPTION_LOCAL, OPTION_OUTPUT),
          "Add a node, and print the bundle that enrols it",
          "The bundle is for \"sendense-node enroll\" at the node; whoever holds it can be this "
          "node, until\nit was used or has expired. " RIGHT("manage"),
          verb_node_add },
        { "node rotate", "NAME", 1, 1, OPTIONS(OPTION_HUB, OPTION_EXPIRES, OPTION_OUTPUT),
          "Print a new bundle for a node that is there",
          "Its old key is good until it was enrolled anew, with \"sendense-node enroll "
          "--replace\". "
          "The\nbundle before this one is good for nothing. " RIGHT("manage"),
          verb_node_rotate },
        { "node remove", "NAME", 1, 1, OPTIONS(OPTION_FORCE), "Remove a node, and cut its tunnel",
          "Refused while a job of it is open, or something is owed there; not with --force. " RIGHT(
                          "manage"),
          verb_node_remove },
        { "token create", "NAME", 1, 1, OPTIONS(OPTION_ROLE, OPTION_EXPIRES),
          "Make a token for the HTTP API, and print it",
          "Once: the hub keeps its digest alone. It stands for the rights com.sendense.hub.ROLE of "
          "its\n"
          "roles: inspect, backup, restore, delete, manage. " RIGHT("manage"),
          verb_token_create },
        { "token list", "", 0, 0, NULL, "List the tokens of the HTTP API", RIGHT("manage"),
          verb_token_list },
        { "token revoke", "NAME", 1, 1, NULL, "Revoke a token of the HTTP API",
          "It is good for nothing from then on. Its name is not given again. " RIGHT("manage"),
          verb_token_revoke },
        { "task list", "", 0, 0, NULL, "List what the node of this machine does",
          "A task has the number of the hub's job. Does not start the node. " NODE_RIGHT("inspect"),
          verb_task_list },
        { "task show", "ID", 1, 1, NULL, "Show a task of the node and its disks",
          NODE_RIGHT("inspect"), verb_task_show },
        { "task cancel", "ID", 1, 1, NULL, "Cancel a task of the node",
          "Its snapshot is removed. " NODE_RIGHT("backup"), verb_task_cancel },
        { "task release", "ID OUTCOME", 2, 2, NULL, "Have the node remove the snapshot of a task",
          "What the hub does at the end of its job: OUTCOME is committed, or abandoned when the\n"
          "backup is given up. Prints the task's state. " NODE_RIGHT("backup"),
          verb_task_release },
        { "config check", "[FILE]", 0, 1, OPTIONS(OPTION_NODE),
          "Check the settings of hub and node",
          "Reads their own files, or FILE as the hub's or (--node) the node's, with all drop-ins, "
          "as\n"
          "these daemons do. Exit status 78 and the line that one would end with when something "
          "is\n"
          "wrong.",
          verb_config_check },
        { "config show", "[FILE]", 0, 1, OPTIONS(OPTION_NODE),
          "Show each setting, its value and where it comes from",
          "Shows what is in the files of hub and node now, or in FILE; the running daemons read "
          "theirs\n"
          "when they started.",
          verb_config_show },
        { "config apply", "", 0, 0, OPTIONS(OPTION_NODE, OPTION_DRY_RUN),
          "Bring changed settings into force",
          "Checks the files of hub and node as \"config check\" does, shows which settings are "
          "others than\nthose that were applied last, and has systemd restart or reload, in the "
          "right order, what runs by\nthe old ones, and nothing else. Jobs go on. Root alone may; "
          "with --dry-run, which changes\nnothing, everybody. Exit status 78 when a file is wrong: "
          "nothing is done then.",
          verb_config_apply },
        { "log-level", "LEVEL", 1, 1, NULL, "Set how much the running hub logs",
          "LEVEL is one of emerg, alert, crit, err, warning, notice, info, debug. It holds until "
          "the hub\n"
          "ends; LogLevel= in its settings holds longer. " RIGHT("manage"),
          verb_log_level },
        { "database probe", "", 0, 0, NULL, "Let the hub try its database now",
          "Shows the state after one try, instead of waiting for the hub's next one. The right\n"
          "com.sendense.hub.manage is needed. Exit status 3 when the state is not \"ready\".",
          verb_database_probe },
        {},
};
