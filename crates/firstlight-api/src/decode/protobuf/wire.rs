//! Protobuf's wire format: varints, lengths and field numbers.
//!
//! Kubernetes uses wire types 0 and 2; 1 and 5 are read so that they can be skipped.

use super::{Malformed, malformed};
use crate::schema::{Of, Wire};

/// One value on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// A fixed-width number, which no field of the API uses.
    Fixed,
}

impl<'a> Token<'a> {
    pub(super) fn zero(of: Of) -> Token<'static> {
        match of.wire() {
            Wire::Varint => Token::Varint(0),
            Wire::Bytes => Token::Bytes(&[]),
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        match self {
            Token::Varint(n) => *n == 0,
            Token::Bytes(bytes) => bytes.is_empty(),
            Token::Fixed => false,
        }
    }

    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Token::Bytes(bytes) => Some(bytes),
            Token::Varint(_) | Token::Fixed => None,
        }
    }

    /// The elements of a list: itself, or the numbers packed into one token.
    pub(super) fn unpacked(self, of: Of) -> impl Iterator<Item = Result<Token<'a>, Malformed>> {
        let (mut rest, mut single) = match (self, of.wire()) {
            (Token::Bytes(packed), Wire::Varint) => (packed, None),
            (token, _) => (&[][..], Some(token)),
        };
        std::iter::from_fn(move || {
            if let Some(token) = single.take() {
                return Some(Ok(token));
            }
            if rest.is_empty() {
                return None;
            }
            let number = varint(&mut rest);
            if number.is_err() {
                rest = &[];
            }
            Some(number.map(Token::Varint))
        })
    }
}

/// The fields of a message: number and value; ends after the first error.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    fn field(&mut self) -> Result<(u64, Token<'a>), Malformed> {
        let tag = varint(&mut self.0)?;
        let token = match tag & 7 {
            0 => Token::Varint(varint(&mut self.0)?),
            1 => take(&mut self.0, 8).map(|_| Token::Fixed)?,
            2 => {
                let length = varint(&mut self.0)?;
                Token::Bytes(take(&mut self.0, usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => take(&mut self.0, 4).map(|_| Token::Fixed)?,
            wire => return malformed(format!("wire type {wire} is not known")),
        };
        Ok((tag >> 3, token))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<(u64, Token<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    match bytes.split_at_checked(length) {
        Some((taken, rest)) => {
            *bytes = rest;
            Ok(taken)
        }
        None => malformed("it ends in the middle of a field"),
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else {
            return malformed("it ends in the middle of a number");
        };
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    malformed("a number is longer than 64 bits")
}

/// A number as the signed one it stands for.
#[expect(clippy::cast_possible_wrap, reason = "two's complement is the wire format")]
pub(super) const fn int64(n: u64) -> i64 {
    n as i64
}

/// A number as the signed one it stands for; negative ones travel with 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "two's complement is the wire format")]
pub(super) const fn int32(n: u64) -> i32 {
    n as i32
}
