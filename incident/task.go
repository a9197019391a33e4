package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
)

// taskKinds are the tasks that what an incident shows makes, in their order.
var taskKinds = map[string][]string{
	showsUse:        {glassward.TaskSignOut, glassward.TaskRotate, glassward.TaskReseal, glassward.TaskReview},
	showsSecret:     {glassward.TaskRotate, glassward.TaskReseal, glassward.TaskReview},
	showsCredential: {glassward.TaskRotate, glassward.TaskReseal, glassward.TaskReview},
	showsChange:     {glassward.TaskReview},
	showsUnclear:    {glassward.TaskReview},
}

func taskText(kind, account string) string {
	switch kind {
	case glassward.TaskSignOut:
		return "sign " + account + " out everywhere: revoke its sessions"
	case glassward.TaskRotate:
		return "rotate what " + account + " signs in with, and try the new"
	case glassward.TaskReseal:
		return "put the new secrets of " + account + " away under a new seal"
	}
	return "review by somebody who did none of it"
}

// follow adds the tasks that follow from what an alert shows, and opens those
// again that it undoes.
func (st *step) follow(inc *glassward.Incident, a glassward.Alert) {
	for _, t := range st.tasks(*inc, a) {
		inc.Tasks = slices.Clone(inc.Tasks)
		if t.Number > len(inc.Tasks) {
			inc.Tasks = append(inc.Tasks, t)
			continue
		}
		inc.Tasks[t.Number-1] = t
		st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "task", Text: fmt.Sprintf("task %d (%s) is open again: %s", t.Number, t.Kind, a.Title)})
	}
	inc.Shows = union(inc.Shows, shows(st.policy, a))
}

// undone adds to what is new in an alert the tasks that it opens again and, where
// nothing else is new, what it shows that its incident did not show: neither is
// ever silent.
func (st *step) undone(news []string, inc glassward.Incident, a glassward.Alert) []string {
	var out []string
	if len(news) == 0 {
		for _, s := range missing(shows(st.policy, a), inc.Shows) {
			out = append(out, "shows:"+s)
		}
	}
	var kinds []string
	var last time.Time
	for _, t := range st.tasks(inc, a) {
		if t.Number <= len(inc.Tasks) {
			kinds = append(kinds, t.Kind)
			if done := inc.Tasks[t.Number-1].Done; done.After(last) {
				last = done
			}
		}
	}
	if len(kinds) > 0 {
		// With the time, since the same can happen again.
		out = append(out, fmt.Sprintf("undone:%s (%s)", strings.Join(kinds, ", "), last.Format("2006-01-02 15:04:05.000Z07:00")))
	}
	return union(news, out)
}

// tasks gives the tasks that what an alert shows makes and that the incident does
// not have, and, opened, those that it has and that were done too early: a review
// that did not see the alert, and what was done before it happened.
func (st *step) tasks(inc glassward.Incident, a glassward.Alert) []glassward.Task {
	var out []glassward.Task
	next := len(inc.Tasks) + 1
	unseen := !slices.Contains(inc.Alerts, a.ID)
	for _, s := range shows(st.policy, a) {
		what, id, _ := strings.Cut(s, ":")
		for _, kind := range taskKinds[what] {
			account := id
			if kind == glassward.TaskReview {
				account = ""
			}
			same := func(t glassward.Task) bool { return t.Kind == kind && t.Account == account }
			if slices.ContainsFunc(out, same) {
				continue
			}
			if i := slices.IndexFunc(inc.Tasks, same); i >= 0 {
				if t := inc.Tasks[i]; !t.Done.IsZero() && (kind == glassward.TaskReview && unseen || a.End.After(t.Done)) {
					t.Done, t.By, t.Note = time.Time{}, "", ""
					out = append(out, t)
				}
				continue
			}
			name := nameIn(st.policy.Accounts, account)
			if name == "" {
				name = account
			}
			out = append(out, glassward.Task{Number: next, Kind: kind, Account: account, Text: taskText(kind, name), Why: a.Title, Created: st.now})
			next++
		}
	}
	return out
}

// mergeTasks takes the tasks of an incident that became part of another over. A
// task that either left open is open.
func mergeTasks(into, from []glassward.Task) []glassward.Task {
	out := slices.Clone(into)
	for _, t := range from {
		i := slices.IndexFunc(out, func(o glassward.Task) bool { return o.Kind == t.Kind && o.Account == t.Account })
		switch {
		case i < 0:
			t.Number = len(out) + 1
			out = append(out, t)
		case t.Done.IsZero():
			out[i].Done, out[i].By, out[i].Note = time.Time{}, "", ""
		}
	}
	return out
}

// DoTask says that a task of an incident is done. A review is done by somebody who
// did not take part in what is reviewed.
type DoTask struct {
	Target
	// Task is the task's number within the incident.
	Task int
	// Note says how, a seal's number for instance.
	Note string
}

// ReopenTask says that a task is not done after all. It needs a reason.
type ReopenTask struct {
	Target
	Task int
	Note string
}

func (DoTask) event()     {}
func (ReopenTask) event() {}

func taskOf(inc *glassward.Incident, number int, note string) (*glassward.Task, error) {
	if inc.Status == glassward.StatusClosed {
		return nil, fmt.Errorf("%w: it is closed, and its tasks with it", ErrInvalid)
	}
	if err := bounded(note); err != nil {
		return nil, err
	}
	inc.Tasks = slices.Clone(inc.Tasks)
	for i := range inc.Tasks {
		if inc.Tasks[i].Number == number {
			return &inc.Tasks[i], nil
		}
	}
	return nil, fmt.Errorf("%w: it has no task %d", ErrInvalid, number)
}

func (c DoTask) apply(st *step, inc *glassward.Incident) error {
	t, err := taskOf(inc, c.Task, c.Note)
	if err != nil {
		return err
	}
	if !t.Done.IsZero() {
		return fmt.Errorf("%w: task %d was done already, by %s", ErrInvalid, t.Number, t.By)
	}
	if t.Kind == glassward.TaskReview {
		if why := st.barred(*inc, c.By); why != "" {
			return fmt.Errorf("%w: %s %s, and cannot review it", ErrInvalid, c.By, why)
		}
	} else if slices.ContainsFunc(inc.Tasks, func(r glassward.Task) bool {
		return r.Kind == glassward.TaskReview && !r.Done.IsZero() && person(r.By) == person(c.By)
	}) {
		return fmt.Errorf("%w: %s reviewed it, so somebody else does the rest", ErrInvalid, c.By)
	}
	t.Done, t.By, t.Note = st.now, c.By, c.Note
	text := fmt.Sprintf("task %d (%s) is done", t.Number, t.Kind)
	if c.Note != "" {
		text += ": " + c.Note
	}
	st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "task", Actor: c.By, Text: text})
	return nil
}

func (c ReopenTask) apply(st *step, inc *glassward.Incident) error {
	t, err := taskOf(inc, c.Task, c.Note)
	if err != nil {
		return err
	}
	if strings.TrimSpace(c.Note) == "" {
		return fmt.Errorf("%w: opening a task again needs a reason", ErrInvalid)
	}
	if t.Done.IsZero() {
		return fmt.Errorf("%w: task %d is open", ErrInvalid, t.Number)
	}
	t.Done, t.By, t.Note = time.Time{}, "", ""
	st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "task", Actor: c.By, Text: fmt.Sprintf("task %d (%s) is open again: %s", t.Number, t.Kind, c.Note)})
	return nil
}
