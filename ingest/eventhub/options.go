package eventhub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"glassward"
	"glassward/ingest"
)

// Options says which hubs are read and how.
type Options struct {
	// Tenant is the only tenant that records may name; see ingest.DecoderOptions.
	Tenant string
	// Namespace is the host of the namespace, contoso.servicebus.windows.net, with
	// a port if it is not 9093. It may be empty where ConnectionString names it.
	Namespace string
	// Hubs are the hubs to read. Empty means the one that ConnectionString names,
	// or else all whose names begin with insights-, which diagnostic settings make
	// for themselves, those too that appear later.
	Hubs []string
	// ConnectionString refers to the connection string of a policy that may Listen.
	// It is read anew for each connection. Either it or Credential is set.
	ConnectionString glassward.Secret
	// Credential is who holds the role Azure Event Hubs Data Receiver.
	Credential azcore.TokenCredential

	// Dial makes connections, TLS speaks over them; nil is the ordinary way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	TLS  *tls.Config

	// Refresh is the time between two looks at hubs, partitions and their ends, one
	// minute if 0. Reconnect is the age at which a connection is made anew, one
	// hour if 0: a key that was taken away does not end connections that stand.
	Refresh, Reconnect time.Duration
	// Observe hears how the hubs stand; Stream is the name of the hub, empty for
	// the namespace as a whole.
	Observe ingest.Observer
	// Now gives the time, time.Now if nil.
	Now func() time.Time
}

// connection is what a connection string says.
type connection struct {
	host, key, hub string
}

// parseConnection reads a connection string. Its errors never hold a part of it
// that may be the key.
func parseConnection(text string) (c connection, err error) {
	var endpoint, secret bool
	for part := range strings.SplitSeq(strings.TrimSpace(text), ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "endpoint":
			endpoint = true
			host, ok := strings.CutPrefix(strings.ToLower(value), "sb://")
			if c.host = strings.TrimRight(host, "/"); !ok || c.host == "" {
				return c, errors.New("the connection string's Endpoint is no sb://HOST/ address")
			}
		case "sharedaccesskeyname":
			c.key = value
		case "sharedaccesskey":
			secret = value != ""
		case "sharedaccesssignature":
			return c, errors.New("the connection string holds a SharedAccessSignature, which the Kafka endpoint does not take: copy the one of the policy, with SharedAccessKeyName and SharedAccessKey")
		case "entitypath":
			c.hub = value
		}
	}
	if !endpoint || c.key == "" || !secret {
		return c, errors.New("not a connection string of Event Hubs: it reads Endpoint=sb://NAMESPACE.servicebus.windows.net/;SharedAccessKeyName=…;SharedAccessKey=…, to be copied in the Azure portal under Shared access policies of the hub or the namespace")
	}
	return c, nil
}

// complete checks the options and fills in what is left to us.
func (o *Options) complete() error {
	if (o.ConnectionString == "") == (o.Credential == nil) {
		return errors.New("event hub: give either a connection string or a credential")
	}
	o.Namespace = strings.ToLower(strings.TrimSpace(o.Namespace))
	if o.ConnectionString != "" {
		text, err := o.ConnectionString.Reveal()
		if err != nil {
			return fmt.Errorf("event hub: %w", err)
		}
		c, err := parseConnection(text)
		if err != nil {
			return fmt.Errorf("event hub: %s: %w", o.ConnectionString, err)
		}
		switch {
		case o.Namespace == "":
			o.Namespace = c.host
		case hostOf(o.Namespace) != hostOf(c.host):
			return fmt.Errorf("event hub: the connection string %s is one of %s, not of %s", o.ConnectionString, c.host, o.Namespace)
		}
		switch {
		case c.hub != "" && len(o.Hubs) == 0:
			o.Hubs = []string{c.hub}
		case c.hub != "" && slices.ContainsFunc(o.Hubs, func(h string) bool { return !strings.EqualFold(h, c.hub) }):
			return fmt.Errorf("event hub: the connection string %s opens the hub %s alone: give each hub its own, or one of a policy of the namespace", o.ConnectionString, c.hub)
		}
	}
	if o.Namespace == "" {
		return errors.New("event hub: name the namespace, e.g. contoso.servicebus.windows.net")
	}
	if strings.Contains(o.Namespace, "/") || !strings.ContainsAny(hostOf(o.Namespace), ".:") {
		return fmt.Errorf("event hub: %q is no host name of a namespace; it reads e.g. contoso.servicebus.windows.net", o.Namespace)
	}
	for i, h := range o.Hubs {
		if o.Hubs[i] = strings.TrimSpace(h); o.Hubs[i] == "" {
			return errors.New("event hub: a hub has no name")
		}
	}
	o.Hubs = slices.Compact(slices.Sorted(slices.Values(o.Hubs)))
	if o.Refresh <= 0 {
		o.Refresh = time.Minute
	}
	if o.Reconnect <= 0 {
		o.Reconnect = time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: time.Minute}).DialContext
	}
	return nil
}

func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// address is where the namespace is dialled.
func (o *Options) address() string {
	if _, _, err := net.SplitHostPort(o.Namespace); err == nil {
		return o.Namespace
	}
	return net.JoinHostPort(o.Namespace, "9093")
}

// tls gives the settings of a connection to a host.
func (o *Options) tls(host string) *tls.Config {
	c := &tls.Config{}
	if o.TLS != nil {
		c = o.TLS.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = host
	}
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	return c
}

// mechanism signs in. It is asked anew for each connection, so that a secret
// that was changed is taken up with the next one; signing is called when it is
// about to be sent.
func (o *Options) mechanism(signing func()) sasl.Mechanism {
	if o.Credential != nil {
		scope := "https://" + hostOf(o.Namespace) + "/.default"
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := o.Credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
			if err != nil {
				return oauth.Auth{}, &credentialError{err}
			}
			signing()
			return oauth.Auth{Token: token.Token}, nil
		})
	}
	return plain.Plain(func(context.Context) (plain.Auth, error) {
		text, err := o.ConnectionString.Reveal()
		if err == nil {
			_, err = parseConnection(text)
		}
		if err != nil {
			return plain.Auth{}, &credentialError{err}
		}
		signing()
		return plain.Auth{User: "$ConnectionString", Pass: strings.TrimSpace(text)}, nil
	})
}

// credentialError is why we have nothing to sign in with.
type credentialError struct{ error }

func (e *credentialError) Unwrap() error { return e.error }
