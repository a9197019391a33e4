package eventhub

import (
	"errors"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"glassward/entra"
)

// serviceName names the service in faults.
const serviceName = "Event Hubs"

// fault says what an error means for whoever has to mend it.
func (s *Source) fault(doing string, err error) error {
	f := &entra.Fault{Kind: entra.FaultOutage, Service: serviceName, Doing: doing, Err: err}
	var own *entra.Fault
	var credential *credentialError
	var code *kerr.Error
	switch {
	case errors.As(err, &own):
		return err
	case errors.As(err, &credential):
		f.Kind, f.Message = entra.FaultToken, credential.Error()
		return f
	case errors.As(err, &code):
		f.Code = code.Message
	}
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism), errors.Is(err, kerr.IllegalSaslState):
		f.Kind, f.Message = entra.FaultToken, s.refused()
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed):
		f.Kind = entra.FaultToken
		f.Message = "the policy of the connection string may not Listen here: most often a slip in the connection string, one of another hub (EntityPath), or a namespace of the Basic tier, which has no Kafka endpoint"
		if s.o.Credential != nil {
			f.Kind = entra.FaultConsent
			f.Message = "our application may not read here: assign it the role Azure Event Hubs Data Receiver on the hub or the namespace, and see that the namespace is not of the Basic tier, which has no Kafka endpoint"
		}
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InvalidTopicException):
		f.Kind = entra.FaultSubscription
		f.Message = "there is no such hub: see its name, and whether somebody has deleted it"
	case errors.Is(err, kerr.ThrottlingQuotaExceeded):
		f.Kind = entra.FaultThrottled
		f.Message = "the namespace has too few throughput units for what is read from it"
	case errors.Is(err, kerr.CorruptMessage):
		f.Kind = entra.FaultContent
	case code != nil:
		f.Message = code.Description
	case closedAtOnce(err):
		f.Message = "the connection was closed while it was being opened: a firewall of the namespace, a namespace of the Basic tier, or something on the way that is not the namespace"
	}
	return f
}

// refused says why a sign-in is refused.
func (s *Source) refused() string {
	if s.o.Credential != nil {
		return "the namespace does not take our application's token: see that it is a namespace of the same tenant and cloud, that the application has the role Azure Event Hubs Data Receiver, and that the tier is not Basic"
	}
	return "the namespace does not take the connection string: its key was made anew or the policy deleted, there is a slip in it, or the namespace is of the Basic tier, which has no Kafka endpoint. Copy it again under Shared access policies"
}

// closedAtOnce reports whether the other side hung up without a word.
func closedAtOnce(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		err != nil && strings.Contains(err.Error(), "closed immediately")
}
