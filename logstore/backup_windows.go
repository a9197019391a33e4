package logstore

import "context"

// copyFiles copies the files of one moment. Here the engine opens its file for
// itself alone, and intake waits while it is copied.
func (s *Store) copyFiles(ctx context.Context, dir string) (moment, error) {
	return s.copyStill(ctx, dir)
}
