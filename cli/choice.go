package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A choice is a flag that takes one of a few words, and says which.
type choice struct {
	value *string
	among []string
}

// choiceFlag adds a flag whose words are among, the first of them by default; "" as the
// first is a flag that need not be given.
func choiceFlag(cmd *cobra.Command, into *string, name, short, usage string, among ...string) {
	*into = among[0]
	f := cmd.Flags()
	f.VarP(choice{into, among}, name, short, usage+oneOf(among))
	// The flag has just been added, which is all that could be wrong.
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(said(among), cobra.ShellCompDirectiveNoFileComp))
}

// outputFlag adds -o.
func outputFlag(cmd *cobra.Command, into *string, among ...string) {
	choiceFlag(cmd, into, "output", "o", "", among...)
}

// said gives the words that somebody would write: "" is not to write the flag.
func said(words []string) []string {
	if words[0] == "" {
		return words[1:]
	}
	return words
}

func oneOf(words []string) string {
	words = said(words)
	if len(words) == 2 {
		return words[0] + " or " + words[1]
	}
	return strings.Join(words, ", ")
}

var _ pflag.Value = choice{}

// Set takes one of the words.
func (c choice) Set(v string) error {
	if !slices.Contains(c.among, v) {
		return fmt.Errorf("use %s", oneOf(c.among))
	}
	*c.value = v
	return nil
}

// String gives the word that was chosen.
func (c choice) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

// Type is what help calls the value.
func (choice) Type() string { return "string" }
