package posture

import (
	_ "embed"
	"fmt"
	"slices"
	"sync"

	"glassward/directory"
)

// A Check is one thing that is judged, with the texts that people read.
type Check struct {
	ID string `yaml:"id" json:"id"`
	// Area is the first part of the id: ACC, ROL, GRP, RMU, AUTH, CA, LIC, MON, SP, PRO.
	Area     string   `yaml:"-" json:"area"`
	Severity Severity `yaml:"severity" json:"severity"`
	Title    string   `yaml:"title" json:"title"`
	// Why says what goes wrong where the check fails.
	Why string `yaml:"why" json:"why"`
	// Portal and Graph say where it is put right: the path in the Entra admin center and
	// the call.
	Portal string `yaml:"portal" json:"portal"`
	Graph  string `yaml:"graph" json:"graph"`
	// Sources are the documents that ask for it, Norms the clauses.
	Sources []string `yaml:"sources" json:"sources"`
	Norms   []string `yaml:"norms" json:"norms,omitempty"`
	// Reads are the parts of a snapshot on which it rests: if one was not read the
	// finding is Unknown.
	Reads []directory.Part `yaml:"reads" json:"reads"`
	// Needs is the service plan on which it rests, as AAD_PREMIUM_P2: it does not apply to
	// a tenant without.
	Needs string `yaml:"needs" json:"needs,omitempty"`
}

//go:embed checks.yaml
var catalogue []byte

// Checks gives the checks in the order of the catalogue. They are shared: do not change
// them. An error says that checks.yaml is not as it must be.
var Checks = sync.OnceValues(func() ([]*Check, error) { return parse(catalogue) })

func parse(text []byte) ([]*Check, error) {
	var list []*Check
	if err := unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("checks.yaml: %w", err)
	}
	seen := map[string]bool{}
	for _, c := range list {
		if c == nil {
			return nil, fmt.Errorf("checks.yaml: an entry is empty")
		}
		for i, r := range c.ID {
			if r == '-' {
				c.Area = c.ID[:i]
				break
			}
		}
		switch {
		case c.Area == "" || seen[c.ID]:
			return nil, fmt.Errorf("checks.yaml: %q is no id of its own", c.ID)
		case c.Severity.Rank() < 0:
			return nil, fmt.Errorf("checks.yaml: %s: severity %q is none", c.ID, c.Severity)
		case c.Title == "" || c.Why == "" || c.Portal == "" || c.Graph == "" || len(c.Sources) == 0 || len(c.Reads) == 0:
			return nil, fmt.Errorf("checks.yaml: %s lacks a text", c.ID)
		}
		if c.Needs != "" && planNames[c.Needs] == "" {
			return nil, fmt.Errorf("checks.yaml: %s needs %q, which is no plan that is known", c.ID, c.Needs)
		}
		for _, p := range c.Reads {
			if !slices.Contains(directory.Parts(), p) {
				return nil, fmt.Errorf("checks.yaml: %s reads %q, which is no part", c.ID, p)
			}
		}
		seen[c.ID] = true
	}
	return list, nil
}

// A judgement is the logic of a check. Unless says of the options why the check does not
// apply, judge looks and says what it saw.
type judgement struct {
	unless func(*Options) string
	judge  func(*view)
}

// always are the checks of which no option says that they do not apply.
func always(judge func(*view)) judgement { return judgement{judge: judge} }

// inGroup are the checks of tenants whose policies name the accounts by their group.
func inGroup(judge func(*view)) judgement {
	return judgement{func(o *Options) string {
		if o.Targeting != TargetGroup {
			return "policies name the accounts themselves: there is no group to judge"
		}
		return ""
	}, judge}
}

// withApplication are the checks of tenants that declare a break-glass application.
func withApplication(judge func(*view)) judgement {
	return judgement{func(o *Options) string {
		if len(o.Applications) == 0 {
			return "no break-glass application is declared"
		}
		return ""
	}, judge}
}

// logic is what must hold, by the id of the check.
var logic = map[string]judgement{
	"ACC-01": always(declared),
	"ACC-02": always(enough),
	"ACC-03": always(enabled),
	"ACC-04": always(cloudOnly),
	"ACC-05": always(initialDomain),
	"ACC-06": always(managedDomain),
	"ACC-07": always(nativeMember),
	"ACC-08": always(nobodys),
	"ACC-09": always(namedInPapers),
	"ACC-10": always(passwordStays),
	"ACC-11": always(noForcedChange),
	"ACC-12": always(passwordChanged),
	"ACC-13": always(noLicence),
	"ACC-14": always(exercised),
	"ACC-15": always(notAtRisk),
	"ACC-16": always(notCleanedUp),
	"ACC-17": always(nothingAttached),
	"ACC-18": always(olderMFA),
	"ACC-19": always(groupCeiling),
	"ACC-20": always(nameSinceKeys),
	"ACC-21": always(noOtherGroups),
	"ACC-22": always(noSharedFate),

	"ROL-01": always(permanentAdministrator),
	"ROL-02": always(notOnlyEligible),
	"ROL-03": always(notThroughGroup),
	"ROL-04": always(administratorCount),
	"ROL-05": always(permanenceAllowed),
	"ROL-06": always(noApprovalDeadlock),
	"ROL-07": always(activationApproved),
	"ROL-08": always(assignmentsNotified),
	"ROL-09": always(knownAlerts),
	"ROL-10": always(whoCanTakeOver),
	"ROL-11": always(noOtherRoles),
	"ROL-12": always(noRoleReview),
	"ROL-13": always(secondWay),

	"GRP-01": inGroup(roleAssignable),
	"GRP-02": inGroup(assignedSecurityGroup),
	"GRP-03": inGroup(exactMembers),
	"GRP-04": inGroup(noOwners),
	"GRP-05": inGroup(notEligible),
	"GRP-06": inGroup(usedAsIntended),
	"GRP-07": {func(o *Options) string {
		if o.Targeting != TargetDirect {
			return "policies name the accounts by their group"
		}
		return ""
	}, namedTogether},

	"RMU-01": always(insideUnit),
	"RMU-02": always(unitStatic),
	"RMU-03": always(unlockersDeclared),
	"RMU-04": always(unlockRoleSmall),
	"RMU-05": always(unlockRules),
	"RMU-06": always(contextEnforced),
	"RMU-07": always(unlockNotCircular),
	"RMU-08": always(protectedActionsOpen),

	"AUTH-01": always(keyRegistered),
	"AUTH-02": always(keyApproved),
	"AUTH-03": always(modelsDiffer),
	"AUTH-04": always(nothingPersonal),
	"AUTH-05": always(passkeysReach),
	"AUTH-06": always(notExcludedFromPasskeys),
	"AUTH-07": always(restrictionsAccept),
	"AUTH-08": always(profileAccepts),
	"AUTH-09": always(profileTight),
	"AUTH-10": always(othersExclude),
	"AUTH-11": always(migrated),
	"AUTH-12": always(noCampaign),
	"AUTH-13": always(noTemporaryPass),
	"AUTH-14": always(registrationKnown),
	"AUTH-15": always(noSelfServiceReset),
	"AUTH-16": {func(o *Options) string {
		if o.Design != DedicatedPolicies {
			return "the design has no authentication strength of its own"
		}
		return ""
	}, strengthTight},
	"AUTH-17": always(strengthsMet),
	"AUTH-18": always(mandatoryMFA),
	"AUTH-19": always(certificatesSafe),
	"AUTH-20": always(policySmall),
	"AUTH-21": always(promptsDoNotBite),
	"AUTH-22": always(lockoutSane),
	"AUTH-23": always(noReconfirmation),

	"CA-01": always(noOtherPolicy),
	"CA-02": always(noBlock),
	"CA-03": always(noArmedPolicy),
	"CA-04": always(managedExclude),
	"CA-05": always(exclusionRobust),
	"CA-06": always(idsExist),
	"CA-07": always(groupsProtected),
	"CA-08": always(symmetrical),
	"CA-09": inDesign(DedicatedPolicies, strengthDemanded),
	"CA-10": inDesign(DedicatedPolicies, sessionShort),
	"CA-11": always(exactlyOwn),
	"CA-12": always(satisfiable),
	"CA-13": always(noPlace),
	"CA-14": always(noRisk),
	"CA-15": always(noFlow),
	"CA-16": always(registrationReachable),
	"CA-17": always(noCompliantNetwork),
	"CA-18": always(plainSession),
	"CA-19": inDesign(ExcludedFromAll, exposure),
	"CA-20": always(defaultsCoherent),
	"CA-21": always(noRole),
	"CA-22": always(exclusionsReread),
	"CA-23": always(legacy),
	"CA-24": always(noTerms),
	"CA-25": always(binSafe),
	"CA-26": always(proofFresh),
	"CA-27": always(allUnderstood),
	"CA-28": always(agreement),
	"CA-29": always(noOtherExcluded),
	"CA-30": always(whoEditsPolicies),

	"LIC-01": always(enoughLicences),
	"LIC-02": always(noLapse),

	"MON-01": always(logsLeave),
	"MON-02": always(widerCategories),
	"MON-03": always(workspaceHealthy),
	"MON-04": always(accountsWatched),
	"MON-05": always(rulesArmed),
	"MON-06": always(rulesHaveIdentity),
	"MON-07": always(actionGroupsDeliver),
	"MON-08": always(notSuppressed),
	"MON-09": always(tamperingWatched),
	"MON-10": always(alive),
	"MON-11": always(secondWatcher),
	"MON-12": always(infrastructureLocked),
	"MON-13": always(sentinelWatches),

	"SP-01": withApplication(applicationTight),
	"SP-02": withApplication(applicationWatched),

	"PRO-01": always(drilled),
	"PRO-02": always(keysKept),
	"PRO-03": always(runbookPrinted),
	"PRO-04": always(custodiansReviewed),
	"PRO-05": always(usesReviewed),
	"PRO-06": always(workstationNotNeeded),
}
