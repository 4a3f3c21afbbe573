//! Which entries does a tar stream hold? Asked by `unpack` and by imports.
//!
//! Reads ustar, pax and GNU headers (POSIX.1-2017 pax; the GNU tar manual, "Basic Tar Format"). Everything an attacker
//! could make large is bounded before it is read, and whatever two tar readers might understand differently is refused.

use super::Refusal;
use std::io::{self, Read};
use tar::{EntryType, Header};

/// The unit of a tar archive.
const BLOCK: usize = 512;
/// Largest extension header: it holds names, numbers and extended attributes.
const EXTENSION_MAX: u64 = 1 << 20;
/// Largest extended attribute (the kernel's `XATTR_SIZE_MAX`).
const XATTR_MAX: usize = 65536;

/// One entry, all its headers taken together.
#[derive(Debug, Clone, Default)]
pub(in crate::images) struct Entry {
    pub(in crate::images) path: Vec<u8>,
    pub(in crate::images) kind: Kind,
    /// Target of a link.
    pub(in crate::images) link: Vec<u8>,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Seconds and nanoseconds since 1970.
    pub(super) modified: (i64, i64),
    pub(super) xattrs: Vec<(String, Vec<u8>)>,
}

/// What an entry makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::images) enum Kind {
    #[default]
    File,
    Directory,
    Symlink,
    Hardlink,
    Fifo,
    Device,
}

/// The entries of a tar stream.
pub(in crate::images) struct Entries<R> {
    source: R,
    /// Bytes of the current entry that nobody has read.
    left: u64,
    /// What fills its last block.
    padding: u64,
}

/// What extension headers said about the entry that follows them.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    modified: Option<(i64, i64)>,
    xattrs: Vec<(String, Vec<u8>)>,
}

impl<R: Read> Entries<R> {
    pub(in crate::images) fn new(source: R) -> Entries<R> {
        Entries { source, left: 0, padding: 0 }
    }

    /// The next entry; `None` at the end, when the source has been read to its end.
    pub(in crate::images) fn next(&mut self) -> Result<Option<Entry>, Refusal> {
        let mut extension = Extension::default();
        loop {
            self.skip(self.left + self.padding)?;
            (self.left, self.padding) = (0, 0);
            let Some(header) = self.header()? else {
                self.end()?;
                return Ok(None);
            };
            let shown = || String::from_utf8_lossy(&header.path_bytes()).into_owned();
            let refuse = |reason: String| Refusal::Entry { entry: shown(), reason };
            let malformed = |e: io::Error| refuse(format!("its header is malformed: {e}"));
            let size = extension.size.unwrap_or(header.entry_size().map_err(malformed)?);
            match header.entry_type() {
                EntryType::XGlobalHeader => self.begin(size),
                EntryType::XHeader => {
                    let records = self.extension(size).map_err(|e| e.unwrap_or_else(refuse))?;
                    extension.read(&records).map_err(refuse)?;
                }
                EntryType::GNULongName => {
                    let name = self.extension(size).map_err(|e| e.unwrap_or_else(refuse))?;
                    extension.path.get_or_insert(without_end(name));
                }
                EntryType::GNULongLink => {
                    let name = self.extension(size).map_err(|e| e.unwrap_or_else(refuse))?;
                    extension.link.get_or_insert(without_end(name));
                }
                other => {
                    let kind = kind(other, &header).map_err(refuse)?;
                    if kind != Kind::File && size != 0 {
                        return Err(refuse(format!("it carries {size} bytes, which only a file may")));
                    }
                    self.begin(size);
                    return extension.merge(&header, kind).map(Some).map_err(refuse);
                }
            }
        }
    }

    /// The content of the entry [`Entries::next`] just gave; what is not read is skipped.
    pub(in crate::images) fn data(&mut self) -> impl Read + '_ {
        Data(self)
    }

    /// One header, its checksum right; `None` at the end mark or the end of the source.
    fn header(&mut self) -> Result<Option<Header>, Refusal> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        let mut filled = 0;
        while filled < BLOCK {
            match self.source.read(&mut block[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(Refusal::Archive("the archive ends inside a header".to_owned())),
                count => filled += count,
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum: u32 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
            .sum();
        match header.cksum() {
            Ok(expected) if expected == sum => Ok(Some(header)),
            _ => Err(Refusal::Archive("the archive is damaged: a header's checksum is wrong".to_owned())),
        }
    }

    /// After the end mark only zeros may follow.
    fn end(&mut self) -> Result<(), Refusal> {
        let mut buffer = [0; 8192];
        loop {
            match self.source.read(&mut buffer)? {
                0 => return Ok(()),
                count if buffer[..count].iter().all(|byte| *byte == 0) => {}
                _ => return Err(Refusal::Archive("data follows the end of the archive".to_owned())),
            }
        }
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    /// The content of an extension header; the inner error is a reason to refuse the entry.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Failed> {
        if size > EXTENSION_MAX {
            return Err(Failed::Reason(format!("an extension header of it has {size} bytes")));
        }
        self.begin(size);
        let mut content = Vec::new();
        self.data().read_to_end(&mut content).map_err(Failed::Io)?;
        Ok(content)
    }

    fn skip(&mut self, count: u64) -> Result<(), Refusal> {
        let skipped = io::copy(&mut self.source.by_ref().take(count), &mut io::sink())?;
        if skipped < count {
            return Err(Refusal::Archive("the archive ends inside an entry".to_owned()));
        }
        Ok(())
    }
}

/// Why an extension header could not be read.
enum Failed {
    Reason(String),
    Io(io::Error),
}

impl Failed {
    fn unwrap_or_else(self, refuse: impl FnOnce(String) -> Refusal) -> Refusal {
        match self {
            Failed::Reason(reason) => refuse(reason),
            Failed::Io(error) => Refusal::Io(error),
        }
    }
}

struct Data<'a, R>(&'a mut Entries<R>);

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Data(entries) = self;
        let limit = usize::try_from(entries.left).unwrap_or(usize::MAX).min(buffer.len());
        if limit == 0 {
            return Ok(0);
        }
        match entries.source.read(&mut buffer[..limit])? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends inside an entry")),
            count => {
                entries.left -= count as u64;
                Ok(count)
            }
        }
    }
}

fn kind(entry_type: EntryType, header: &Header) -> Result<Kind, String> {
    Ok(match entry_type {
        // Before directories had a type, their names ended in a slash.
        EntryType::Regular if header.path_bytes().ends_with(b"/") => Kind::Directory,
        EntryType::Regular | EntryType::Continuous => Kind::File,
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Symlink,
        EntryType::Link => Kind::Hardlink,
        EntryType::Fifo => Kind::Fifo,
        EntryType::Char | EntryType::Block => Kind::Device,
        EntryType::GNUSparse => return Err("sparse files are not supported".to_owned()),
        other => return Err(format!("entries of type {:?} are not supported", char::from(other.as_byte()))),
    })
}

impl Extension {
    /// Reads pax records: `LENGTH KEY=VALUE\n`.
    fn read(&mut self, mut records: &[u8]) -> Result<(), String> {
        while !records.is_empty() {
            let (key, value, rest) = record(records).ok_or("its pax header is malformed")?;
            records = rest;
            let number = || -> Result<u64, String> {
                std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .ok_or(format!("its pax {key} is no number"))
            };
            match key {
                "path" => self.path = Some(value.to_vec()),
                "linkpath" => self.link = Some(value.to_vec()),
                "size" => self.size = Some(number()?),
                "uid" => self.uid = Some(number()?),
                "gid" => self.gid = Some(number()?),
                "mtime" => self.modified = Some(time(value).ok_or("its pax mtime is no time")?),
                _ if key.starts_with("GNU.sparse.") => return Err("sparse files are not supported".to_owned()),
                _ => {
                    if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
                        self.xattr(name, value)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Capabilities and what users keep are taken. Labels and access lists of the machine the image was built on are
    /// left behind, as containerd leaves what it cannot set; what would steer our overlay is refused.
    fn xattr(&mut self, name: &str, value: &[u8]) -> Result<(), String> {
        if name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.") {
            return Err(format!("its extended attribute {name} would steer the overlay"));
        }
        if value.len() > XATTR_MAX {
            return Err(format!("its extended attribute {name} has {} bytes", value.len()));
        }
        if name == "security.capability" || name.starts_with("user.") {
            self.xattrs.push((name.to_owned(), value.to_vec()));
        }
        Ok(())
    }

    fn merge(self, header: &Header, kind: Kind) -> Result<Entry, String> {
        let Extension { path, link, size: _, uid, gid, modified, xattrs } = self;
        let malformed = |e: io::Error| format!("its header is malformed: {e}");
        let id = |given: Option<u64>, header: io::Result<u64>, what: &str| {
            let id = given.map_or(header.map_err(malformed), Ok)?;
            // The highest number means "nobody" to chown(2).
            u32::try_from(id).ok().filter(|id| *id != u32::MAX).ok_or(format!("its {what} {id} is out of range"))
        };
        let seconds = i64::try_from(header.mtime().map_err(malformed)?).unwrap_or(0);
        Ok(Entry {
            path: path.unwrap_or_else(|| header.path_bytes().into_owned()),
            kind,
            link: link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned)).unwrap_or_default(),
            mode: header.mode().map_err(malformed)? & 0o7777,
            uid: id(uid, header.uid(), "owner")?,
            gid: id(gid, header.gid(), "group")?,
            modified: modified.unwrap_or((seconds, 0)),
            xattrs,
        })
    }
}

/// Key, value, and what follows the record. By its length, since a value may hold any byte.
fn record(records: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
    let body = records.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some((std::str::from_utf8(&body[..equals]).ok()?, &body[equals + 1..], &records[length..]))
}

/// Decimal seconds with an optional fraction.
fn time(value: &[u8]) -> Option<(i64, i64)> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let seconds: i64 = whole.parse().ok()?;
    // The fraction of a time before 1970 counts backwards.
    if whole.starts_with('-') && nanoseconds > 0 {
        return Some((seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds));
    }
    Some((seconds, nanoseconds))
}

/// GNU's long names end in a zero byte.
fn without_end(mut name: Vec<u8>) -> Vec<u8> {
    if name.last() == Some(&0) {
        name.pop();
    }
    name
}
