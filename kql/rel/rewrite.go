package rel

// Rewrite is a named step on the way from the tree as it was bound to the tree that becomes SQL. Doc says
// in a sentence without a stop what it does.
type Rewrite struct {
	Name, Doc string
	Apply     func(Rel) Rel
	// Hastens says that the step is there for the reading of many records: few cost less without it.
	Hastens bool
}

// Rewrites gives the steps in the order in which they are taken. What is asked for (the window, the
// lineage) comes after the steps that look for conditions near the records, and before those that leave
// out what nobody reads. Of the steps given here none changes a result; a tree without them is
// only slower.
func Rewrites(asked ...Rewrite) []Rewrite {
	steps := []Rewrite{
		{Name: "pushdown", Doc: "conditions that speak of a record alone move below the expansion of its values", Apply: Pushdown},
		{Name: "shadows", Doc: "texts within dynamic columns are read from the hidden columns that the store keeps of them", Apply: UseShadows},
		{Name: "prefilter", Doc: "records whose text cannot hold what is looked for are left out before their JSON is read", Apply: Prefilter, Hastens: true},
		{Name: "elements", Doc: "elements of arrays whose text cannot hold what is looked for are left out before their JSON is read", Apply: PrefilterElements, Hastens: true},
	}
	return append(append(steps, asked...),
		Rewrite{Name: "prune", Doc: "columns that nothing reads are not read from the store", Apply: Prune},
		Rewrite{Name: "count", Doc: "lists and sets of which only the length is read are counted, not collected", Apply: CountElements},
		Rewrite{Name: "fuse", Doc: "filters and projections that follow one another become one", Apply: Fuse})
}
