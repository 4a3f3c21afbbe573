//! Who does a container run as? Asked by the creator, which alone has the image's root at hand.
//!
//! Names are resolved in the image's `/etc/passwd` and `/etc/group`, opened inside the root, never by the host's
//! C library: that would run name services of the host's choice, or inside the container of the image's (the class
//! of CVE-2019-14271).

use crate::wire::ImageUser;
use rustix::fd::BorrowedFd;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};

/// Longest `/etc/passwd` or `/etc/group` read: a thousand times a usual one.
const LONGEST: u64 = 4 << 20;

/// A resolved user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    /// User id.
    pub(crate) uid: u32,
    /// Primary group id.
    pub(crate) gid: u32,
    /// Further groups, in order, each once (SEC-5: the image's own groups are merged in).
    pub(crate) groups: Vec<u32>,
    /// Home directory: `/` if the image names none.
    pub(crate) home: String,
}

/// Resolves `wanted` in the root filesystem `root`.
///
/// # Errors
/// A name that the image does not know, in containerd's words; or an unreadable file.
pub(crate) fn resolve(root: BorrowedFd<'_>, wanted: &ImageUser) -> io::Result<User> {
    resolve_in(&read(root, "etc/passwd")?, &read(root, "etc/group")?, wanted)
}

fn resolve_in(passwd: &str, group: &str, wanted: &ImageUser) -> io::Result<User> {
    let accounts: Vec<Account<'_>> = passwd.lines().filter_map(Account::parse).collect();
    let groups: Vec<Group<'_>> = group.lines().filter_map(Group::parse).collect();

    let (user, wanted_group) = match (wanted.uid, wanted.name.split_once(':')) {
        (Some(uid), _) => (uid.to_string(), None),
        (None, Some((user, group))) => (user.to_owned(), Some(group)),
        (None, None) => (wanted.name.clone(), None),
    };
    let account = find_account(&accounts, &user)?;
    let gid = match (wanted.gid, wanted_group.filter(|g| !g.is_empty())) {
        (Some(gid), _) => gid,
        (None, Some(name)) => find_group(&groups, name)?,
        (None, None) => account.gid,
    };
    let mut all = Vec::new();
    let member_of = groups.iter().filter(|g| !account.name.is_empty() && g.members.contains(&account.name));
    for id in member_of.map(|g| g.gid).chain(wanted.groups.iter().copied()) {
        if id != gid && !all.contains(&id) {
            all.push(id);
        }
    }
    let home = if account.home.is_empty() { "/" } else { account.home };
    Ok(User { uid: account.uid, gid, groups: all, home: home.to_owned() })
}

/// One line of `/etc/passwd`.
#[derive(Debug, Clone)]
struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> Account<'a> {
    fn parse(line: &'a str) -> Option<Account<'a>> {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = fields.nth(1).unwrap_or("");
        Some(Account { name, uid, gid, home })
    }
}

/// One line of `/etc/group`.
#[derive(Debug)]
struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: Vec<&'a str>,
}

impl<'a> Group<'a> {
    fn parse(line: &'a str) -> Option<Group<'a>> {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        let members = fields.next().unwrap_or("").split(',').map(str::trim).filter(|m| !m.is_empty()).collect();
        Some(Group { name, gid, members })
    }
}

fn find_account<'a>(accounts: &[Account<'a>], user: &str) -> io::Result<Account<'a>> {
    let number = if user.is_empty() { Some(0) } else { user.parse::<u32>().ok() };
    let known = accounts.iter().find(|a| match number {
        Some(uid) => a.uid == uid,
        None => a.name == user,
    });
    match (known, number) {
        (Some(account), _) => Ok(account.clone()),
        (None, Some(uid)) => Ok(Account { name: "", uid, gid: 0, home: "" }),
        (None, None) => {
            Err(io::Error::other(format!("unable to find user {user}: no matching entries in passwd file")))
        }
    }
}

fn find_group(groups: &[Group<'_>], name: &str) -> io::Result<u32> {
    if let Some(group) = groups.iter().find(|g| g.name == name) {
        return Ok(group.gid);
    }
    name.parse()
        .map_err(|_| io::Error::other(format!("unable to find group {name}: no matching entries in group file")))
}

/// The text of a file in the image; empty if it has none.
fn read(root: BorrowedFd<'_>, path: &str) -> io::Result<String> {
    // Without O_NONBLOCK a FIFO in its place would stop the creator for ever.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let fd = match openat2(root, path, flags, Mode::empty(), resolve) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(String::new()),
        Err(error) => return Err(io::Error::other(format!("/{path} of the image: {error}"))),
    };
    let file = File::from(fd);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(format!("/{path} of the image is not a regular file")));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
