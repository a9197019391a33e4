// Command glassward guards the break-glass accounts of Microsoft Entra tenants.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"glassward/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks to end; the second does not ask.
	context.AfterFunc(ctx, stop)
	code := cli.Main(ctx, cli.Env{
		Args:   os.Args[1:],
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Getenv: os.Getenv,
	})
	stop()
	os.Exit(code)
}
