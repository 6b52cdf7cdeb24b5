/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shared login (see session.h). The thread has the VSphere for itself; what both threads touch is below the
 * lock. Users are told by their eventfds, which the engine polls.
 */
#include "session.h"

#include "bus/bus-error.h"
#include "secret.h"
#include "vsphere/login-spec.h"
#include "vsphere/properties.h"
#include "vsphere/session.h"
#include "vsphere/task.h"
#include "vsphere/tls.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

enum {
        KEEPALIVE_SEC = 240, /* a session dies after 30 minutes of silence, or of what the site has set */
        PORT = 443,
};

/* Whether a snapshot is there still. */
typedef struct Question {
        enum { QUESTION_NONE, QUESTION_ASKED, QUESTION_ANSWERED } state;
        VSphereRef vm, snapshot;
        int answer;
        char text[SESSION_ERROR_SIZE];
} Question;

typedef struct Session {
        const json_t *vcenter; /* whose it is */
        LoginSpec spec;
        SessionUser *users; /* of the engine's thread */
        pthread_t thread;
        int cancel_fd; /* readable: every call is to end */

        pthread_mutex_t lock;
        pthread_cond_t changed;
        /* below the lock */
        bool is_over, is_wanted;
        uint64_t wanted_after; /* a newer one than this is wanted */
        uint64_t generation; /* of cookie; 0: there is none yet */
        char *cookie;
        char thumbprint[TLS_FINGERPRINT_TEXT_SIZE];
        uint64_t n_failures;
        int error; /* of the last failure */
        const char *error_name;
        char text[SESSION_ERROR_SIZE];
        Question question;
        /* of the thread */
        VSphere *vsphere;
        unsigned seen_generation;
} Session;

struct SessionUser {
        Session *session;
        SessionUser *next;
        int event_fd;
        bool has_asked;
        uint64_t n_failures_seen;
        VSphereTls tls;
        char thumbprint[TLS_FINGERPRINT_TEXT_SIZE];
};

/* All sources of a task have the same spec, and there is one task in a process. */
static Session *current;
static const char *password_file;

static struct {
        const json_t *vcenter;
        LoginSpec login;
        VSphere *vsphere;
} lent;

void session_lend(const json_t *vcenter, LoginSpec *login, VSphere *vsphere)
{
        session_drop();
        lent.vcenter = vcenter;
        lent.login = *login;
        lent.vsphere = vsphere;
        *login = (LoginSpec){};
}

void session_drop(void)
{
        lent.vsphere = vsphere_close(lent.vsphere);
        login_spec_done(&lent.login);
        lent.vcenter = NULL;
}

void session_set_password_file(const char *path)
{
        password_file = path;
}

const char *session_password_file(void)
{
        return password_file;
}

static void tell_users(Session *session)
{
        for (SessionUser *user = session->users; user; user = user->next)
                (void) eventfd_write(user->event_fd, 1);
}

static int to_errno(const VSphereError *error)
{
        static const char *const final[] = { BUS_ERROR_VCENTER_LOGIN, BUS_ERROR_CERTIFICATE_CHANGED,
                                             BUS_ERROR_CERTIFICATE_INVALID,
                                             BUS_ERROR_INVALID_ARGUMENT };

        for (size_t i = 0; !error->is_transient && i < ELEMENTSOF(final); i++)
                if (error->name && strcmp(error->name, final[i]) == 0)
                        return -EACCES;
        return -EIO;
}

static void forget_cookie(Session *session)
{
        if (session->cookie)
                explicit_bzero(session->cookie, strlen(session->cookie));
        free(TAKE(session->cookie));
}

/* With the lock. */
static void publish(Session *session, int r, const VSphereError *error)
{
        unsigned generation = session->vsphere ? vsphere_generation(session->vsphere) : 0;
        char *cookie = NULL;

        if (r >= 0 && generation != session->seen_generation) {
                cookie = strdup(vsphere_cookie(session->vsphere));
                r = cookie ? 0 : -ENOMEM;
        }
        if (r < 0) {
                session->n_failures++;
                session->is_wanted =
                                false; /* who asked meanwhile is told of this one, and no second login is tried for him */
                session->error = r == -ENOMEM ? r : to_errno(error);
                session->error_name = error->name;
                (void) snprintf(session->text, sizeof(session->text), "%.*s",
                                SESSION_ERROR_SIZE - 1,
                                r == -ENOMEM ? "out of memory" : error->text);
        }
        if (cookie) {
                forget_cookie(session);
                session->cookie = cookie;
                session->generation++;
                session->seen_generation = generation;
                (void) snprintf(session->thumbprint, sizeof(session->thumbprint), "%s",
                                vsphere_thumbprint(session->vsphere));
        }
        tell_users(session);
}

/* Without the lock. One that was taken over counts as a new one, once. */
static int log_in(Session *session, VSphereError *error)
{
        VSphereLogin login = session->spec.login;

        login.cancel_fd = session->cancel_fd;
        if (session->vsphere && session->generation == 0)
                return 0;
        return session->vsphere ? vsphere_again(session->vsphere, error)
                                : vsphere_open(&login, &session->vsphere, error);
}

/* Without the lock. */
static int has_snapshot(Session *session, const Question *question, VSphereError *error)
{
        static const char *const paths[] = { "config.instanceUuid" };
        CLEANUP(properties_free_p) Properties *properties = NULL;
        int r;

        r = session->vsphere ? 0 : log_in(session, error);
        if (r >= 0)
                r = task_wait_for_snapshots(session->vsphere, &question->vm, error);
        if (r >= 0)
                r = properties_of(session->vsphere, &question->snapshot, paths, ELEMENTSOF(paths),
                                  &properties, error);
        return r;
}

/* With the lock, which is let go of meanwhile. */
static void answer_question(Session *session)
{
        Question question = session->question;
        VSphereError error = {};
        int r;

        (void) pthread_mutex_unlock(&session->lock);
        r = has_snapshot(session, &question, &error);
        (void) pthread_mutex_lock(&session->lock);
        if (r < 0 && r != -ENOMEM) {
                bool is_gone = error.name && strcmp(error.name, BUS_ERROR_NOT_FOUND) == 0;

                r = is_gone ? -ENOENT : to_errno(&error);
        }
        session->question.answer = r;
        (void) snprintf(session->question.text, sizeof(session->question.text), "%.*s",
                        SESSION_ERROR_SIZE - 1, r == -ENOMEM ? "out of memory" : error.text);
        session->question.state = QUESTION_ANSWERED;
        tell_users(session);
}

/* With the lock. 1: it is time for a sign of life. */
static int wait_for_work(Session *session)
{
        struct timespec until;
        int r = 0;

        (void) clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += KEEPALIVE_SEC;
        while (!session->is_over && !session->is_wanted &&
               session->question.state != QUESTION_ASKED && r == 0)
                r = pthread_cond_timedwait(&session->changed, &session->lock, &until);
        return r == ETIMEDOUT;
}

static void *work(void *userdata)
{
        Session *session = userdata;

        (void) pthread_mutex_lock(&session->lock);
        for (;;) {
                bool is_quiet = wait_for_work(session), is_wanted = session->is_wanted;
                VSphereError error = {};
                int r = 0;

                if (session->is_over)
                        break;
                session->is_wanted = false;
                if (is_wanted && session->generation > session->wanted_after) {
                        tell_users(session);
                        continue;
                }
                if (!is_wanted && session->question.state == QUESTION_ASKED) {
                        answer_question(session);
                        continue;
                }
                if (!is_wanted && (!is_quiet || !session->vsphere))
                        continue;
                (void) pthread_mutex_unlock(&session->lock);
                r = is_wanted ? log_in(session, &error)
                              : vsphere_keepalive(session->vsphere, &error);
                (void) pthread_mutex_lock(&session->lock);
                /* A sign of life that got lost is no harm: a source will find out if more is. */
                if (r >= 0 || is_wanted)
                        publish(session, r, &error);
        }
        (void) pthread_mutex_unlock(&session->lock);
        session->vsphere = vsphere_close(session->vsphere);
        return NULL;
}

/* Signals are the engine's business. */
static int start_thread(Session *session)
{
        pthread_condattr_t attributes;
        sigset_t all, before;
        int r;

        (void) sigfillset(&all);
        (void) pthread_condattr_init(&attributes);
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_mutex_init(&session->lock, NULL);
        (void) pthread_cond_init(&session->changed, &attributes);
        (void) pthread_condattr_destroy(&attributes);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        r = -pthread_create(&session->thread, NULL, work, session);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        return r;
}

static void free_parts(Session *session)
{
        session->vsphere = vsphere_close(session->vsphere);
        forget_cookie(session);
        cleanup_close_p(&session->cancel_fd);
        login_spec_done(&session->spec);
        free(session);
}

static int session_make(const json_t *vcenter, Session **ret_session, Failure *failure)
{
        Session *session = calloc(1, sizeof(*session));
        VSphereError error = {};
        int r;

        if (!session)
                return -ENOMEM;
        session->vcenter = vcenter;
        session->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = session->cancel_fd < 0 ? -errno : 0;
        if (r >= 0 && lent.vsphere && lent.vcenter == vcenter) {
                session->spec = lent.login;
                lent.login = (LoginSpec){};
                session->vsphere = TAKE(lent.vsphere);
                vsphere_set_cancel(session->vsphere, session->cancel_fd);
        } else if (r >= 0) {
                r = login_spec_read(vcenter, password_file, &session->spec, &error);
                if (r < 0)
                        r = failure_set(failure, -EINVAL, error.name ?: FAILURE_INVALID, 0, "%s",
                                        error.text);
        }
        if (r >= 0)
                r = start_thread(session);
        if (r < 0) {
                free_parts(session);
                return r;
        }
        *ret_session = session;
        return 0;
}

/* Calls under way end; the logout is vCenter's to hear, if it is there. */
static void session_end(Session *session)
{
        (void) pthread_mutex_lock(&session->lock);
        session->is_over = true;
        (void) eventfd_write(session->cancel_fd, 1);
        (void) pthread_cond_signal(&session->changed);
        (void) pthread_mutex_unlock(&session->lock);
        (void) pthread_join(session->thread, NULL);
        (void) pthread_cond_destroy(&session->changed);
        (void) pthread_mutex_destroy(&session->lock);
        free_parts(session);
}

int session_join(const json_t *vcenter, SessionUser **ret_user, Failure *failure)
{
        SessionUser *user;
        int r;

        if (!vcenter)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0,
                                   "the spec has no \"vcenter\" to read from");
        if (current && current->vcenter != vcenter)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0, "a task has one vCenter");
        user = malloc(sizeof(*user));
        if (!user)
                return -ENOMEM;
        *user = (SessionUser){ .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
        r = user->event_fd < 0 ? -errno : current ? 0 : session_make(vcenter, &current, failure);
        if (r < 0 || !current) {
                cleanup_close_p(&user->event_fd);
                free(user);
                return r < 0 ? r : -ENOMEM;
        }
        user->session = current;
        (void) tls_init(&user->tls, current->spec.login.ca_file, current->spec.login.pin_sha256);
        (void) pthread_mutex_lock(&current->lock);
        user->next = current->users;
        current->users = user;
        (void) pthread_mutex_unlock(&current->lock);
        *ret_user = user;
        return 0;
}

SessionUser *session_leave(SessionUser *user)
{
        bool is_last;

        if (!user)
                return NULL;
        (void) pthread_mutex_lock(&current->lock);
        for (SessionUser **at = &current->users; *at; at = &(*at)->next)
                if (*at == user) {
                        *at = user->next;
                        break;
                }
        is_last = !current->users;
        (void) pthread_mutex_unlock(&current->lock);
        if (is_last)
                session_end(TAKE(current));
        cleanup_close_p(&user->event_fd);
        free(user);
        return NULL;
}

int session_fd(const SessionUser *user)
{
        return user->event_fd;
}

/* With the lock. */
static int look(SessionUser *user, uint64_t generation, uint64_t *ret_generation, char **ret_cookie,
                char ret_error[static SESSION_ERROR_SIZE])
{
        Session *session = user->session;

        if (session->generation > generation) {
                *ret_cookie = strdup(session->cookie);
                if (!*ret_cookie)
                        return -ENOMEM;
                *ret_generation = session->generation;
                user->has_asked = false;
                return 1;
        }
        if (user->has_asked && user->n_failures_seen != session->n_failures) {
                user->has_asked = false;
                (void) snprintf(ret_error, SESSION_ERROR_SIZE, "%s", session->text);
                return session->error;
        }
        if (!user->has_asked) {
                user->has_asked = true;
                user->n_failures_seen = session->n_failures;
                session->is_wanted = true;
                session->wanted_after = generation;
                (void) pthread_cond_signal(&session->changed);
        }
        return 0;
}

int session_login(SessionUser *user, uint64_t generation, uint64_t *ret_generation,
                  char **ret_cookie, char ret_error[static SESSION_ERROR_SIZE])
{
        int r;

        (void) pthread_mutex_lock(&user->session->lock);
        r = look(user, generation, ret_generation, ret_cookie, ret_error);
        (void) pthread_mutex_unlock(&user->session->lock);
        return r;
}

int session_has_snapshot(SessionUser *user, const char *vm, const char *snapshot,
                         char ret_error[static SESSION_ERROR_SIZE])
{
        Session *session = user->session;
        Question *question = &session->question;
        int r = 0;

        (void) pthread_mutex_lock(&session->lock);
        if (question->state == QUESTION_ANSWERED) {
                r = question->answer >= 0 ? 1 : question->answer;
                (void) snprintf(ret_error, SESSION_ERROR_SIZE, "%s", question->text);
                question->state = QUESTION_NONE;
        } else if (question->state == QUESTION_NONE) {
                *question = (Question){ .state = QUESTION_ASKED,
                                        .vm.type = "VirtualMachine",
                                        .snapshot.type = "VirtualMachineSnapshot" };
                (void) snprintf(question->vm.value, sizeof(question->vm.value), "%s", vm);
                (void) snprintf(question->snapshot.value, sizeof(question->snapshot.value), "%s",
                                snapshot);
                (void) pthread_cond_signal(&session->changed);
        }
        (void) pthread_mutex_unlock(&session->lock);
        return r;
}

const char *session_error_name(SessionUser *user)
{
        const char *name;

        (void) pthread_mutex_lock(&user->session->lock);
        name = user->session->error_name;
        (void) pthread_mutex_unlock(&user->session->lock);
        return name;
}

void session_trust(SessionUser *user, CURL *curl)
{
        tls_setup(&user->tls, curl);
}

const char *session_host(const SessionUser *user)
{
        return user->session->spec.login.host;
}

uint16_t session_port(const SessionUser *user)
{
        return user->session->spec.login.port ?: PORT;
}

const char *session_name(const SessionUser *user)
{
        return user->session->spec.login.user;
}

const Secret *session_password(const SessionUser *user)
{
        return user->session->spec.password;
}

const char *session_thumbprint(SessionUser *user)
{
        Session *session = user->session;

        (void) pthread_mutex_lock(&session->lock);
        (void) snprintf(user->thumbprint, sizeof(user->thumbprint), "%s", session->thumbprint);
        (void) pthread_mutex_unlock(&session->lock);
        return user->thumbprint;
}
