//! Tars as tests want them: proper ones, and ones that no tar program would write.

/// A tar under construction.
#[derive(Clone, Default)]
pub(crate) struct Tar {
    bytes: Vec<u8>,
}

/// One header, field by field.
#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: u8,
    pub(crate) link: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    pub(crate) modified: u64,
}

impl Header {
    pub(crate) fn new(name: impl AsRef<[u8]>, kind: u8) -> Header {
        let mode = if kind == b'5' { 0o755 } else { 0o644 };
        let name = name.as_ref().to_vec();
        Header { name, kind, link: Vec::new(), mode, uid: 0, gid: 0, size: 0, modified: 1_700_000_000 }
    }

    pub(crate) fn block(&self) -> [u8; 512] {
        let mut block = [0u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name[..self.name.len().min(100)]);
        put(100, format!("{:07o}\0", self.mode).as_bytes());
        put(108, format!("{:07o}\0", self.uid).as_bytes());
        put(116, format!("{:07o}\0", self.gid).as_bytes());
        put(124, format!("{:011o}\0", self.size).as_bytes());
        put(136, format!("{:011o}\0", self.modified).as_bytes());
        put(148, b"        ");
        put(156, &[self.kind]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }
}

impl Tar {
    pub(crate) fn new() -> Tar {
        Tar::default()
    }

    pub(crate) fn entry(mut self, header: Header, data: impl AsRef<[u8]>) -> Tar {
        let data = data.as_ref();
        let header = Header { size: data.len() as u64, ..header };
        self.bytes.extend_from_slice(&header.block());
        self.bytes.extend_from_slice(data);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> Tar {
        self.entry(Header::new(name, b'0'), data)
    }

    /// A program.
    pub(crate) fn program(self, name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> Tar {
        self.entry(Header { mode: 0o755, ..Header::new(name, b'0') }, data)
    }

    pub(crate) fn dir(self, name: impl AsRef<[u8]>) -> Tar {
        self.entry(Header::new(name, b'5'), "")
    }

    pub(crate) fn symlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Tar {
        self.link(name, b'2', target)
    }

    pub(crate) fn hardlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Tar {
        self.link(name, b'1', target)
    }

    pub(crate) fn link(self, name: impl AsRef<[u8]>, kind: u8, target: impl AsRef<[u8]>) -> Tar {
        self.entry(Header { link: target.as_ref().to_vec(), ..Header::new(name, kind) }, "")
    }

    /// A pax header for the next entry.
    pub(crate) fn pax(self, key: &str, value: impl AsRef<[u8]>) -> Tar {
        let value = value.as_ref();
        let rest = key.len() + value.len() + 3;
        let mut length = rest + rest.to_string().len();
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        let mut record = format!("{length} {key}=").into_bytes();
        record.extend_from_slice(value);
        record.push(b'\n');
        self.entry(Header::new("PaxHeaders/x", b'x'), record)
    }

    /// A GNU long name (`L`) or long link target (`K`) for the next entry.
    pub(crate) fn gnu_long(self, kind: u8, text: impl AsRef<[u8]>) -> Tar {
        let mut text = text.as_ref().to_vec();
        text.push(0);
        self.entry(Header::new("././@LongLink", kind), text)
    }

    /// Bytes as they are.
    pub(crate) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Tar {
        self.bytes.extend_from_slice(bytes.as_ref());
        self
    }

    /// With the end mark.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 1024, 0);
        self.bytes
    }

    /// Without it.
    pub(crate) fn unfinished(self) -> Vec<u8> {
        self.bytes
    }
}
