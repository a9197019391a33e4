package entra

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// GlobalAdministrator is the template id of that directory role.
const GlobalAdministrator = "62e90394-69f5-4237-9190-012177145e10"

// A User is what is needed of a user to choose an account by.
type User struct {
	ID      string `json:"id"`
	Name    string `json:"displayName"`
	UPN     string `json:"userPrincipalName"`
	Enabled bool   `json:"accountEnabled"`
}

const userFields = "$select=id,displayName,userPrincipalName,accountEnabled"

// ListUsers gives users whose display name or user principal name begins with
// the text, or any users if it is empty, at most limit of them. More reports
// that there are more. It needs User.Read.All.
func ListUsers(ctx context.Context, graph *Client, begins string, limit int) (users []User, more bool, err error) {
	address := "/v1.0/users?" + userFields + "&$top=" + strconv.Itoa(min(max(limit, 1), 999))
	if begins != "" {
		text := "'" + strings.ReplaceAll(begins, "'", "''") + "'"
		address += "&$filter=" + query("startswith(displayName,"+text+") or startswith(userPrincipalName,"+text+")")
	}
	for page, err := range graph.Pages(ctx, address, nil) {
		if err != nil {
			return nil, false, err
		}
		some, err := decode[User](page.Value)
		if err != nil {
			return nil, false, notAsPromised(page, err)
		}
		users = append(users, some...)
		if len(users) > limit || len(users) == limit && !page.Last {
			return users[:limit], true, nil
		}
	}
	return users, false, nil
}

func notAsPromised(p *Page, err error) *Fault {
	u, _ := url.Parse(p.URL) // it was asked a moment ago
	return &Fault{Kind: FaultContent, Service: string(Graph), Doing: "read " + u.Path, Status: p.Status, Code: codeNotJSON, Message: line(err.Error(), 200), Err: err}
}

// FindUser gives one user by object id or user principal name. One that does not
// exist is a fault with status 404. It needs User.Read.All.
func FindUser(ctx context.Context, graph *Client, id string) (User, error) {
	answer, err := graph.Get(ctx, "/v1.0/users/"+url.PathEscape(id)+"?"+userFields, nil)
	if err != nil {
		return User{}, err
	}
	var u User
	if err := json.Unmarshal(answer.Body, &u); err != nil {
		return User{}, notAsPromised(&Page{Answer: *answer}, err)
	}
	return u, nil
}

// A Holder holds a directory role: a user, or a group or application whose name
// alone is known.
type Holder struct {
	User
	Kind string // "user", "group" or "servicePrincipal"
	Via  string // the group through which a user holds it, if any
}

// RoleHolders gives who holds a directory role for the whole tenant, with the
// members of groups that hold it. Whoever could activate it by PIM and has not is
// not among them. A group whose members may not be read stands for itself. It
// needs RoleManagement.Read.Directory, and for groups GroupMember.Read.All.
func RoleHolders(ctx context.Context, graph *Client, role string) ([]Holder, error) {
	type principal struct {
		User
		Type string `json:"@odata.type"`
	}
	address := "/v1.0/roleManagement/directory/roleAssignments?$filter=" +
		query("roleDefinitionId eq '"+strings.ReplaceAll(role, "'", "''")+"'") + "&$expand=principal"
	assigned := read(ctx, graph, address, decode[struct {
		ID        string    `json:"principalId"`
		Scope     string    `json:"directoryScopeId"`
		Principal principal `json:"principal"`
	}])
	if !assigned.Known {
		return nil, assigned.Err
	}
	var holders []Holder
	add := func(h Holder) {
		if !slices.ContainsFunc(holders, func(x Holder) bool { return x.ID == h.ID }) {
			holders = append(holders, h)
		}
	}
	for _, a := range assigned.Value {
		if a.Scope != "/" && a.Scope != "" {
			continue
		}
		h := Holder{User: a.Principal.User, Kind: kindOf(a.Principal.Type)}
		if h.ID == "" {
			h.ID = a.ID
		}
		if h.Kind == "group" {
			members := read(ctx, graph, "/v1.0/groups/"+url.PathEscape(h.ID)+"/transitiveMembers?"+userFields, decode[principal])
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if members.Known {
				for _, m := range members.Value {
					if kind := kindOf(m.Type); kind != "group" {
						add(Holder{User: m.User, Kind: kind, Via: h.Name})
					}
				}
				continue
			}
		}
		add(h)
	}
	return holders, nil
}

// RolesOf names the directory roles that a user holds, by itself or through
// groups. It needs RoleManagement.Read.Directory and User.Read.All.
func RolesOf(ctx context.Context, graph *Client, id string) ([]string, error) {
	held := read(ctx, graph, "/v1.0/users/"+url.PathEscape(id)+"/transitiveMemberOf?$select=id,displayName", decode[struct {
		Type string `json:"@odata.type"`
		Name string `json:"displayName"`
	}])
	var names []string
	for _, r := range held.Value {
		if kindOf(r.Type) == "directoryRole" {
			names = append(names, r.Name)
		}
	}
	return names, held.Err
}

// kindOf shortens the type of a directory object, "#microsoft.graph.user".
func kindOf(odata string) string { return strings.TrimPrefix(odata, "#microsoft.graph.") }

// query escapes the value of a query option. A blank is %20: not every service
// takes a plus for one.
func query(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
