package daemon

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"glassward"
	"glassward/certificate"
	"glassward/config"
	"glassward/incident"
)

// CertificateFolder gives the folder of a data folder in which made certificates lie.
func CertificateFolder(data string) string { return filepath.Join(data, "tls") }

// newKeeper gives what the API shows of itself, nil where it speaks plainly. A key that
// others can read, and a certificate that cannot be read, are an error.
func newKeeper(c *config.Config, now func() time.Time) (*certificate.Keeper, error) {
	switch {
	case c.TLS == nil:
		return nil, nil
	case c.TLS.Made:
		return certificate.Made(CertificateFolder(c.Data), c.TLS.Names, now)
	}
	return certificate.Own(c.TLS.Certificate, c.TLS.Key, now)
}

// CheckTLS gives what serve would show, nil where it would make one first. It makes and
// renews nothing. The error says why serve would refuse it.
func CheckTLS(c *config.Config) (*certificate.Sheet, error) {
	dir := ""
	if c.TLS.Made {
		dir = CertificateFolder(c.Data)
		if !certificate.There(dir) {
			return nil, nil
		}
	}
	list, err := certificate.Read(c.TLS.Certificate, c.TLS.Key, dir)
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

func tlsListener(l net.Listener, c *tls.Config) net.Listener { return tls.NewListener(l, c) }

const (
	// certificateEvery is how often the certificate's files are looked at.
	certificateEvery = time.Minute
	// certificateFailed is how often in a row they have to be unreadable before it is
	// told: between the two files of a pair that is replaced they do not fit.
	certificateFailed = 3
)

// keepCertificate takes over what changes of the certificate and renews it, and tells
// when it nears its end all the same.
func (d *Daemon) keepCertificate(ctx context.Context) {
	if d.keeper == nil {
		// One that was told of and is not configured any more concerns nobody.
		l := d.recallLasting(ctx, "", "installation/certificate")
		for key := range l.open {
			l.ends(ctx, key, "The API shows no certificate any more")
		}
		return
	}
	w := certificateWatch{d: d, told: d.recallLasting(ctx, "", "installation/certificate")}
	every := time.NewTicker(certificateEvery)
	defer every.Stop()
	for {
		w.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// A certificateWatch remembers what was found of the certificate. One goroutine uses it.
type certificateWatch struct {
	d      *Daemon
	told   *lasting
	failed int
}

func (w *certificateWatch) look(ctx context.Context) {
	k := w.d.keeper
	changed, err := k.Look()
	sheet := k.Sheet()
	if changed {
		w.d.log.Info("another certificate is shown", "file", sheet.File, "names", sheet.Names, "ends", sheet.Ends, "sha256", sheet.SHA256)
	}
	const file, near, urgent, ended = "file", "near", "urgent", "ended"
	if err == nil {
		w.failed = 0
		w.told.ends(ctx, file, "The certificate of the API can be read and renewed again")
	} else if w.failed++; w.failed >= certificateFailed {
		w.told.begins(ctx, file, incident.Health{
			Cause: "certificate", Subject: "file", Title: "The certificate of the API cannot be read or renewed",
			Detail: fmt.Sprintf("%v\nThe one before is shown on, until %s.", err, sheet.Ends.Format(time.RFC3339)),
		})
	}
	detail := fmt.Sprintf("%s holds until %s.", sheet.File, sheet.Ends.Format(time.RFC3339))
	state := sheet.State(w.d.now())
	for key, least := range map[string]certificate.State{near: certificate.Near, urgent: certificate.Urgent, ended: certificate.Ended} {
		if state < least {
			w.told.ends(ctx, key, "The certificate of the API has time again")
		}
	}
	h := incident.Health{Cause: "certificate", Severity: glassward.High, Detail: detail}
	switch state {
	case certificate.Near:
		h.Subject, h.Severity, h.Title = near, glassward.Medium, "The certificate of the API ends soon"
	case certificate.Urgent:
		h.Subject, h.Title = urgent, "The certificate of the API ends within days"
	case certificate.Ended:
		h.Subject, h.Title = ended, "The certificate of the API has ended: clients and browsers refuse it"
	default:
		return
	}
	w.told.begins(ctx, h.Subject, h)
}
