package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"glassward/directory/truth"
)

// An Evaluation is one question to the What If evaluation of Conditional Access
// (conditionalAccessRoot: evaluate) and what Graph answered.
type Evaluation struct {
	// ID names the question: the account's object id, a slash and the name of the sign-in.
	ID string
	// Request is the body that was sent, as it was sent.
	Request json.RawMessage
	// Results are the policies of the answer, in its order.
	Results []EvaluationResult
	Extra   Extra
}

// An EvaluationResult is what the evaluation says of one policy (Graph's
// whatIfAnalysisResult); what the policy itself says is not kept.
type EvaluationResult struct {
	Policy, DisplayName, State string
	// Applies is policyApplies; Unknown if the answer does not say.
	Applies truth.Value
	// Reasons are why it does not apply (analysisReasons), without notSet.
	Reasons []string
}

// whatIfReasons are Graph's whatIfAnalysisReasons, beta's among them.
var whatIfReasons = []string{
	"notSet", "notEnoughInformation", "invalidCondition", "users", "workloadIdentities", "application", "userActions", "authenticationContext",
	"devicePlatform", "devices", "clientApps", "location", "signInRisk", "emptyPolicy", "invalidPolicy", "policyNotEnabled", "userRisk", "time",
	"insiderRisk", "authenticationFlow", "agentIdRisk", "agentIdentities",
}

// DecodeEvaluation reads an answer of the What If evaluation: Graph's own, or the list
// that stands in it. What is no such answer, or only the beginning of one, is an error.
func DecodeEvaluation(answer []byte) ([]EvaluationResult, error) {
	docs, err := documents(answer)
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 {
		return nil, fmt.Errorf("%d documents where one is expected", len(docs))
	}
	d := &decoder{}
	list, err := decodeResults(d, docs[0])
	if err == nil && len(d.problems) > 0 {
		err = errors.New(d.problems[0].String())
	}
	return list, err
}

func decodeResults(d *decoder, n node) ([]EvaluationResult, error) {
	page := n
	if n.kind() == '{' {
		page = n.get("value")
	}
	switch {
	case page.kind() != '[':
		return nil, errors.New("no answer of a What If evaluation: it has no list of policies: " + short(n))
	case n.kind() == '{' && n.get("@odata.nextLink").kind() == '"':
		return nil, errors.New("the answer says that there are more policies, and they are not here")
	}
	return list(d, page, func(d *decoder, n node) EvaluationResult {
		r := EvaluationResult{}
		d.object(n, nil, func(key string, v node) bool {
			switch key {
			case "id":
				r.Policy = d.id(v)
			case "displayName":
				r.DisplayName = d.text(v)
			case "state":
				r.State = d.enum(v, PolicyEnabled, PolicyDisabled, PolicyReportOnly)
			case "policyApplies":
				if !v.empty() {
					r.Applies = d.truth(v)
				}
			case "analysisReasons":
				r.Reasons = slices.DeleteFunc(d.flags(v, whatIfReasons...), func(s string) bool { return s == "notSet" })
			}
			return true
		})
		return r
	}), nil
}

func decodeEvaluation(d *decoder, n node) *Evaluation {
	e := &Evaluation{}
	d.object(n, &e.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			e.ID = d.text(v)
		case "request":
			e.Request = append(json.RawMessage(nil), v...)
		case "answer":
			var err error
			if e.Results, err = decodeResults(d, v); err != nil {
				d.problem("%v", err)
			}
		default:
			return false
		}
		return true
	})
	return e
}
