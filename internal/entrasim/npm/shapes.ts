// The types with which the made-up tenant's objects are checked: Microsoft's own,
// with what those say too narrowly put right.
import type * as v1 from "@microsoft/microsoft-graph-types";
import type * as beta from "@microsoft/microsoft-graph-types-beta";

export type { v1, beta };

// Several conditions stand in one text, separated by commas ("application,users");
// the types know single ones only.
type Applied = Omit<beta.AppliedConditionalAccessPolicy, "conditionsSatisfied" | "conditionsNotSatisfied"> & {
  conditionsSatisfied?: string;
  conditionsNotSatisfied?: string;
};

export type SignIn = Omit<beta.SignIn, "appliedConditionalAccessPolicies"> & {
  appliedConditionalAccessPolicies?: Applied[];
};
