package entra

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
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

// A ServicePrincipal is what is needed of one to see that it can be used.
type ServicePrincipal struct {
	ID      string `json:"id"`
	AppID   string `json:"appId"`
	Name    string `json:"displayName"`
	Enabled bool   `json:"accountEnabled"`
}

// FindServicePrincipal gives one by its object id. One that does not exist is a fault with
// status 404. It needs Application.Read.All.
func FindServicePrincipal(ctx context.Context, graph *Client, id string) (ServicePrincipal, error) {
	var p ServicePrincipal
	answer, err := graph.Get(ctx, "/v1.0/servicePrincipals/"+url.PathEscape(id)+"?$select=id,appId,displayName,accountEnabled", nil)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(answer.Body, &p); err != nil {
		return ServicePrincipal{}, notAsPromised(&Page{Answer: *answer}, err)
	}
	return p, nil
}

// A Holder holds a directory role: a user, or a group or application whose name
// or id alone is known.
type Holder struct {
	User
	Kind string // "user", "group", "servicePrincipal", or empty if unknown
	Via  string // the group through which a user holds it, if any
}

// RoleHolders gives who holds a directory role for the whole tenant, with the
// members of groups that hold it. Whoever could activate it by PIM and has not is
// not among them. A group whose members may not be read stands for itself, and of
// a holder that is neither user nor group the id alone is told. It needs
// RoleManagement.Read.Directory and User.Read.All, and for groups
// GroupMember.Read.All.
func RoleHolders(ctx context.Context, graph *Client, role string) ([]Holder, error) {
	address := "/v1.0/roleManagement/directory/roleAssignments?$filter=" + query("roleDefinitionId eq '"+strings.ReplaceAll(role, "'", "''")+"'")
	assigned := read(ctx, graph, address, decode[struct {
		ID    string `json:"principalId"`
		Scope string `json:"directoryScopeId"`
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
		u, err := FindUser(ctx, graph, a.ID)
		if err == nil {
			add(Holder{User: u, Kind: "user"})
			continue
		}
		if !absent(err) {
			return nil, err
		}
		name, members, err := membersOf(ctx, graph, a.ID)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			add(m)
		}
		if len(members) == 0 {
			kind := ""
			if name != "" {
				kind = "group"
			}
			add(Holder{User: User{ID: a.ID, Name: name}, Kind: kind})
		}
	}
	return holders, nil
}

// absent reports that a service says that there is no such thing.
func absent(err error) bool {
	var f *Fault
	return errors.As(err, &f) && f.Status == http.StatusNotFound
}

// membersOf gives the name of a group and who is in it, through other groups too.
// What is no group has no name; what may not be read has no members.
func membersOf(ctx context.Context, graph *Client, id string) (string, []Holder, error) {
	address := "/v1.0/groups/" + url.PathEscape(id)
	answer, err := graph.Get(ctx, address+"?$select=id,displayName", nil)
	var f *Fault
	if absent(err) || errors.As(err, &f) && f.Kind == FaultConsent {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	var group struct {
		Name string `json:"displayName"`
	}
	if err := json.Unmarshal(answer.Body, &group); err != nil {
		return "", nil, notAsPromised(&Page{Answer: *answer}, err)
	}
	members := read(ctx, graph, address+"/transitiveMembers?"+userFields, decode[struct {
		User
		Type string `json:"@odata.type"`
	}])
	if !members.Known && members.Permission == "" {
		return "", nil, members.Err
	}
	var holders []Holder
	for _, m := range members.Value {
		if kind := kindOf(m.Type); kind != "group" {
			holders = append(holders, Holder{User: m.User, Kind: kind, Via: group.Name})
		}
	}
	return group.Name, holders, nil
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
