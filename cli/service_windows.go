package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"

	"glassward/internal/private"
)

// serviceName is the service's name, and that of its source in the event log.
const serviceName = "Glassward"

func (a *app) serviceCommands() []*cobra.Command {
	return []*cobra.Command{a.serviceInstall(), a.serviceRemove(), a.serviceRun()}
}

func (a *app) serviceInstall() *cobra.Command {
	var s serving
	var account string
	cmd := &cobra.Command{
		Use: "install", Short: "Make it a service that starts with the machine", Args: args(cobra.NoArgs),
		Long: `Makes the service Glassward with this program, where it lies now. It runs as the
virtual account NT SERVICE\Glassward, which has no rights but those that it is given;
the data folder becomes that account's and the administrators' alone. Needs an
administrator.`,
		Example: `  glassward service install --config C:\ProgramData\Glassward\glassward.yaml --data C:\ProgramData\Glassward\data`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.parsed(cmd.Flags())
			return a.installService(s, account)
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&account, "account", `NT SERVICE\`+serviceName, "account that it runs as, without a password")
	return cmd
}

func (a *app) installService(s serving, account string) (err error) {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	list := []string{"service", "run"}
	// A service has another working folder.
	for _, f := range []struct {
		name string
		path *string
	}{{"--config", &s.file}, {"--data", &s.data}} {
		if *f.path == "" {
			continue
		}
		if *f.path, err = filepath.Abs(*f.path); err != nil {
			return err
		}
		list = append(list, f.name, *f.path)
	}
	if s.listen != "" {
		list = append(list, "--listen", s.listen)
	}
	c, _ := s.load()
	if c == nil {
		return hint(errors.New("the configuration cannot be used"), "glassward config validate shows every problem")
	}
	m, err := mgr.Connect()
	if err != nil {
		return hint(fmt.Errorf("reach the service manager: %w", err), "run this as an administrator")
	}
	defer func() { err = errors.Join(err, m.Disconnect()) }()
	service, err := m.CreateService(serviceName, program, mgr.Config{
		DisplayName: "Glassward", Description: "Guards the break-glass accounts of Microsoft Entra tenants.",
		StartType: mgr.StartAutomatic, DelayedAutoStart: false, ServiceStartName: account, SidType: windows.SERVICE_SID_TYPE_UNRESTRICTED,
	}, list...)
	if err != nil {
		return fmt.Errorf("make the service: %w", err)
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	// It watches others: whenever it ends by itself it is started anew, for ever.
	again := mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: 2 * time.Second}
	err = errors.Join(
		service.SetRecoveryActions([]mgr.RecoveryAction{again, again, again}, 60),
		service.SetRecoveryActionsOnNonCrashFailures(true),
		private.MkdirAll(c.Data), private.Grant(c.Data, account),
		eventlog.InstallAsEventCreate(serviceName, eventlog.Error|eventlog.Warning|eventlog.Info))
	if err != nil {
		return errors.Join(fmt.Errorf("set the service up: %w", err), service.Delete())
	}
	a.say("the service %s is made; start it with: sc start %s", serviceName, serviceName)
	return nil
}

func (a *app) serviceRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove", Short: "Stop the service and take it away; the data stays", Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) (err error) {
			m, err := mgr.Connect()
			if err != nil {
				return hint(fmt.Errorf("reach the service manager: %w", err), "run this as an administrator")
			}
			defer func() { err = errors.Join(err, m.Disconnect()) }()
			service, err := m.OpenService(serviceName)
			if err != nil {
				return fmt.Errorf("there is no service %s: %w", serviceName, err)
			}
			defer func() { err = errors.Join(err, service.Close()) }()
			if _, err := service.Control(svc.Stop); err != nil && !errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
				return fmt.Errorf("stop the service: %w", err)
			}
			return errors.Join(service.Delete(), eventlog.Remove(serviceName))
		},
	}
}

func (a *app) serviceRun() *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use: "run", Short: "What the service manager starts", Args: args(cobra.NoArgs),
		Long: `Is started by the service manager, not by hand: glassward serve is for that. The log
goes to the event log, source Glassward; sc control Glassward paramchange reads
configuration and rules again.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.parsed(cmd.Flags())
			if managed, err := svc.IsWindowsService(); err != nil {
				return err
			} else if !managed {
				return hint(errors.New("this was not started by the service manager"), "glassward serve runs in a console")
			}
			return svc.Run(serviceName, &service{app: a, serving: s, ctx: cmd.Context()})
		},
	}
	s.flags(cmd)
	return cmd
}

// A service is the daemon as the service manager sees it.
type service struct {
	app     *app
	serving serving
	ctx     context.Context // of the process
}

// Execute runs the daemon until the manager stops it.
func (s *service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	const accepts = svc.AcceptStop | svc.AcceptShutdown | svc.AcceptParamChange
	status <- svc.Status{State: svc.StartPending}
	var logs io.Writer = os.Stderr
	if l, err := eventlog.Open(serviceName); err == nil {
		defer l.Close()
		logs = &events{l}
	}
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	reloads := make(chan string)
	ended := make(chan error, 1)
	go func() { ended <- s.app.serve(ctx, s.serving, logs, reloads) }()
	status <- svc.Status{State: svc.Running, Accepts: accepts}
	for {
		select {
		case err := <-ended:
			if err == nil {
				return false, 0
			}
			slog.New(slog.NewTextHandler(logs, nil)).Error("glassward ends", "error", err)
			// The manager starts it anew.
			return true, exitError
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.ParamChange:
				status <- svc.Status{State: svc.Running, Accepts: accepts}
				go func() {
					select {
					case reloads <- "paramchange":
					case <-ctx.Done():
					}
				}()
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: 30_000}
				stop()
			}
		}
	}
}

// events writes each line of the log as one event.
type events struct{ log *eventlog.Log }

// Write writes one line.
func (e *events) Write(b []byte) (int, error) {
	const id = 1
	text := string(b)
	var err error
	switch {
	case strings.Contains(text, "level=ERROR"), strings.Contains(text, `"level":"ERROR"`):
		err = e.log.Error(id, text)
	case strings.Contains(text, "level=WARN"), strings.Contains(text, `"level":"WARN"`):
		err = e.log.Warning(id, text)
	default:
		err = e.log.Info(id, text)
	}
	return len(b), err
}
