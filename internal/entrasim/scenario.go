package entrasim

import "time"

// Begin plans the steps of a story from a moment on; Advance plays them.
func (w *World) Begin(s *Story, at time.Time) {}

// A Story is a scenario.
type Story struct{}

// Scenario finds a story by its name.
func Scenario(name string) *Story { return nil }
