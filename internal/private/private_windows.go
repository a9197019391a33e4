package private

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Check gives an error that wraps ErrExposed if anybody but the owner, the
// system and the administrators has a right to a file or folder, with the cure.
func Check(path string) error {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return &os.PathError{Op: "read the access list of", Path: path, Err: err}
	}
	trusted, err := trusted()
	if err != nil {
		return err
	}
	if owner, _, err := sd.Owner(); err == nil && owner != nil {
		trusted = append(trusted, owner)
	}
	list, _, err := sd.DACL()
	if errors.Is(err, windows.ERROR_OBJECT_NOT_FOUND) || err == nil && list == nil {
		return fmt.Errorf("%w (it has no access list, so everybody has every right): %s", ErrExposed, cure(path))
	}
	if err != nil {
		return fmt.Errorf("read the access list of %s: %w", path, err)
	}
	for i := range uint32(list.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, i, &ace); err != nil {
			return fmt.Errorf("read the access list of %s: %w", path, err)
		}
		if ace.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE || ace.Mask == 0 {
			continue
		}
		who := (*windows.SID)(unsafe.Pointer(&ace.SidStart))
		if !among(trusted, who) {
			return fmt.Errorf("%w (%s has rights to it): %s", ErrExposed, name(who), cure(path))
		}
	}
	return nil
}

// CheckOwned is Check for a folder that also must belong to this user.
func CheckOwned(dir string) error {
	sd, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return &os.PathError{Op: "read the owner of", Path: dir, Err: err}
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return err
	}
	trusted, err := trusted()
	if err != nil {
		return err
	}
	if !among(trusted, owner) {
		return fmt.Errorf("%s belongs to %s, not to this user: have it removed", dir, name(owner))
	}
	return Check(dir)
}

// trusted are this user, the system, the administrators, and the entries that
// stand for an owner.
func trusted() ([]*windows.SID, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("ask who this user is: %w", err)
	}
	list := []*windows.SID{user.User.Sid}
	for _, known := range []windows.WELL_KNOWN_SID_TYPE{windows.WinLocalSystemSid, windows.WinBuiltinAdministratorsSid, windows.WinCreatorOwnerSid, windows.WinCreatorOwnerRightsSid} {
		sid, err := windows.CreateWellKnownSid(known)
		if err != nil {
			return nil, err
		}
		list = append(list, sid)
	}
	return list, nil
}

func among(list []*windows.SID, who *windows.SID) bool {
	for _, sid := range list {
		if who.Equals(sid) {
			return true
		}
	}
	return false
}

func name(sid *windows.SID) string {
	if account, domain, _, err := sid.LookupAccount(""); err == nil {
		return domain + `\` + account
	}
	return sid.String()
}

func cure(path string) string {
	return fmt.Sprintf(`icacls "%s" /inheritance:r /grant:r "%%USERNAME%%:(OI)(CI)F" "SYSTEM:(OI)(CI)F" "Administrators:(OI)(CI)F"`, path)
}

// seal gives a folder an access list of its own, which what is made in it
// inherits: this user, the system and the administrators, nobody else.
func seal(dir string) error {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return fmt.Errorf("ask who this user is: %w", err)
	}
	return sealFor(dir, user.User.Sid)
}

// Grant gives a folder to another account, for a service whose folder an
// administrator makes: that account, the system and the administrators have every
// right to it and to what is made in it, nobody else has any.
func Grant(dir, account string) error {
	sid, _, _, err := windows.LookupSID("", account)
	if err != nil {
		return fmt.Errorf("who is %s: %w", account, err)
	}
	return sealFor(dir, sid)
}

// sealFor puts an access list in the place of a folder's own.
func sealFor(dir string, owner *windows.SID) error {
	sd, err := windows.SecurityDescriptorFromString("D:P(A;OICI;FA;;;" + owner.String() + ")(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)")
	if err != nil {
		return err
	}
	list, _, err := sd.DACL()
	if err != nil {
		return err
	}
	if err := windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil); err != nil {
		return &os.PathError{Op: "set the access list of", Path: dir, Err: err}
	}
	return nil
}

// syncDir does nothing: the file system keeps its own log of names, and a folder
// cannot be flushed.
func syncDir(string) error { return nil }
