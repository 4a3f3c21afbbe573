//! One entry of a log in the CRI's format (LOG-5).

use jiff::Timestamp;

/// An entry: `TIME STREAM F|P TEXT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Its time as written, RFC 3339.
    pub(crate) time: &'a [u8],
    /// Whether the line ends here.
    pub(crate) whole: bool,
    /// What the container wrote, without a line end.
    pub(crate) text: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads an entry, with or without its line end; none if it is not one.
    pub(crate) fn parse(entry: &'a [u8]) -> Option<Line<'a>> {
        let entry = entry.strip_suffix(b"\n").unwrap_or(entry);
        let mut fields = entry.splitn(4, |&b| b == b' ');
        let time = fields.next()?;
        fields.next()?;
        let whole = match fields.next()? {
            b"F" => true,
            b"P" => false,
            _ => return None,
        };
        Some(Line { time, whole, text: fields.next()? })
    }

    /// Its time.
    pub(crate) fn timestamp(&self) -> Option<Timestamp> {
        std::str::from_utf8(self.time).ok()?.parse().ok()
    }
}

/// Where the last `lines` lines of a text begin; an unfinished last one counts.
pub(crate) fn start_of_last(text: &[u8], lines: usize) -> usize {
    if lines == 0 {
        return text.len();
    }
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let ends = body.iter().enumerate().rev().filter(|(_, b)| **b == b'\n');
    ends.map(|(position, _)| position + 1).nth(lines - 1).unwrap_or(0)
}
