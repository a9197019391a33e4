package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"
)

// A manager is the service manager that started this process, as it can be
// spoken to: by datagrams of the form KEY=VALUE to a socket that the environment
// names, https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html.
// The zero manager is nobody, and hears nothing.
type manager struct {
	socket string
	// every is how often the watchdog wants to hear that all is well, 0 if none
	// listens.
	every time.Duration
}

// managerOf reads the environment.
func managerOf(getenv func(string) string, pid int) manager {
	m := manager{socket: getenv("NOTIFY_SOCKET")}
	if p := getenv("WATCHDOG_PID"); p != "" && p != strconv.Itoa(pid) {
		return m // it is about another process
	}
	if usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		m.every = time.Duration(usec) * time.Microsecond / 2
	}
	return m
}

// say sends one message. A service manager that does not hear is no reason not to
// watch: the error is for the log.
func (m manager) say(message string) error {
	if m.socket == "" {
		return nil
	}
	name := m.socket
	if name[0] == '@' {
		name = "\x00" + name[1:] // Linux' abstract names
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(message)); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}

// attend tells the manager that the daemon is ready once it is, and then that it
// lives, as often as it wants to hear that and as long as that is so. It returns
// when ctx ends.
func (m manager) attend(ctx context.Context, running <-chan struct{}, alive func(context.Context) error, log *slog.Logger) {
	tell := func(message string) {
		if err := m.say(message); err != nil {
			log.Warn("the service manager does not hear", "error", err)
		}
	}
	select {
	case <-ctx.Done():
		return
	case <-running:
	}
	tell("READY=1\nSTATUS=watching\nMAINPID=" + strconv.Itoa(os.Getpid()))
	var tick <-chan time.Time
	if m.every > 0 {
		t := time.NewTicker(m.every)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-ctx.Done():
			tell("STOPPING=1")
			return
		case <-tick:
		}
		ask, cancel := context.WithTimeout(ctx, m.every)
		err := alive(ask)
		cancel()
		switch {
		case err == nil:
			tell("WATCHDOG=1")
		case ctx.Err() == nil:
			// Silence makes the manager start the service anew.
			log.Error("the watchdog is not told that all is well", "error", err)
		}
	}
}
