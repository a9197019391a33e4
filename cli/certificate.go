package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward/certificate"
	"glassward/config"
	"glassward/daemon"
)

func (a *app) certificateCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "certificate", Short: "Show, export and renew the certificate of the API"}
	var file, data string
	cmd.PersistentFlags().StringVarP(&file, "config", "c", "glassward.yaml", "configuration file")
	cmd.PersistentFlags().StringVar(&data, "data", "", "data folder, instead of the configuration's")
	read := func() (*config.Config, error) { return a.certificateConfig(file, data) }

	var format string
	show := &cobra.Command{
		Use: "show", Short: "Say for whom the certificate is, its fingerprints, and when it ends", Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			c, err := read()
			if err != nil {
				return err
			}
			dir := ""
			if c.TLS.Made {
				dir = daemon.CertificateFolder(c.Data)
			}
			list, err := certificate.Read(c.TLS.Certificate, c.TLS.Key, dir)
			if err != nil {
				return unmade(err, c)
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(list)
			}
			var rows [][]string
			for _, s := range list {
				for _, r := range [][2]string{
					{"file", s.File}, {"subject", s.Subject}, {"issuer", s.Issuer}, {"names", strings.Join(s.Names, ", ")},
					{"from", stamp(s.From)}, {"ends", stamp(s.Ends)}, {"SHA-256", certificate.Fingerprint(s.SHA256)}, {"SHA-1", certificate.Fingerprint(s.SHA1)},
				} {
					if r[1] != "" {
						rows = append(rows, []string{r[0], line(r[1])})
					}
				}
			}
			return a.grid([]string{"what", "value"}, rows)
		},
	}
	outputFlag(show, &format, "table", "json")

	var out string
	export := &cobra.Command{
		Use: "export", Short: "Write the authority's certificate (PEM), for clients to trust",
		Long: `Writes the certificate of the authority that makes the server's, without its key:
what browsers and clients are given to trust. It holds for ten years, and can name
this server only. It is printed unless --out names a file.`,
		Example: `  glassward certificate export --out glassward-authority.pem
  SSL_CERT_FILE=glassward-authority.pem ./client`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			c, err := read()
			if err != nil {
				return err
			}
			if !c.TLS.Made {
				return hint(fmt.Errorf("the certificate %s was not made here", c.TLS.Certificate), "its authority is whoever made it")
			}
			text, err := certificate.Authority(daemon.CertificateFolder(c.Data))
			if err != nil {
				return unmade(err, c)
			}
			if out == "" {
				_, err := a.Stdout.Write(text)
				return err
			}
			// A certificate is for everybody to read.
			if err := os.WriteFile(out, text, 0o644); err != nil {
				return err
			}
			a.say("wrote %s", out)
			return nil
		},
	}
	export.Flags().StringVarP(&out, "out", "o", "", "file to write to")

	var authority bool
	renew := &cobra.Command{
		Use: "renew", Short: "Make the certificate anew, for the names of the configuration",
		Long: `Makes a new key and certificate for the names of the configuration (tls.names). A
running daemon shows it within a minute. By itself it renews the certificate when a
third of its time is left. With --authority there is a new authority too: for names
that the old one may not give, or when its key may have been read by others. Clients
then have to be given the new one (glassward certificate export).`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			c, err := read()
			if err != nil {
				return err
			}
			if !c.TLS.Made {
				return hint(fmt.Errorf("the certificate %s was not made here", c.TLS.Certificate), "put a new one in its place: the daemon reads it within a minute")
			}
			dir := daemon.CertificateFolder(c.Data)
			if authority {
				err = certificate.Make(dir, c.TLS.Names, time.Now())
			} else {
				err = certificate.Renew(dir, c.TLS.Names, time.Now())
			}
			if err != nil {
				return unmade(err, c)
			}
			list, err := certificate.Read("", "", dir)
			if err != nil {
				return err
			}
			a.say("%s holds until %s for %s; a running daemon shows it within a minute", list[0].File, stamp(list[0].Ends), strings.Join(list[0].Names, ", "))
			if authority {
				a.say("the authority is another: glassward certificate export writes what clients have to trust from now on")
			}
			return nil
		},
	}
	renew.Flags().BoolVar(&authority, "authority", false, "make another authority, too")
	cmd.AddCommand(show, export, renew)
	return cmd
}

// certificateConfig reads the configuration for what is asked about its certificate.
func (a *app) certificateConfig(file, data string) (*config.Config, error) {
	c, problems := config.Load(file)
	if c == nil {
		a.printProblems(problems)
		return nil, fmt.Errorf("%s cannot be used", file)
	}
	c.Override(data, "")
	if c.TLS == nil {
		return nil, hint(fmt.Errorf("%s has no certificate: the API speaks plain HTTP to this machine alone", file), "write tls: {made: true} into it and start the daemon again")
	}
	return c, nil
}

// unmade says what to do where no certificate was made yet.
func unmade(err error, c *config.Config) error {
	if errors.Is(err, fs.ErrNotExist) && c.TLS.Made {
		return hint(fmt.Errorf("no certificate was made yet in %s", daemon.CertificateFolder(c.Data)), "glassward serve makes it when it starts")
	}
	return err
}
