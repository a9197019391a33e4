//go:build unix

package logstore

import "context"

// copyFiles copies the files of one moment. Open files can be read here.
func (s *Store) copyFiles(ctx context.Context, dir string) (moment, error) {
	return s.copyLive(ctx, dir)
}
