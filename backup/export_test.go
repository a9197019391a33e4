package backup

// Between has f called when the control store is copied and no event store yet.
func (s *Source) Between(f func()) { s.between = f }

// WorkspaceDir gives the folder of a workspace.
func WorkspaceDir(data, tenant string) string { return workspaceDir(data, tenant) }
