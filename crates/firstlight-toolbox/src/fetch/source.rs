//! Where a file can be fetched from.

use std::fmt;
use std::path::PathBuf;

use crate::url::Url;
use crate::wait::target::item;

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An HTTP server.
    Http {
        /// Where.
        url: Url,
    },
    /// An item of `fl expose`.
    Item {
        /// The item's address.
        url: Url,
        /// As written.
        shown: String,
    },
    /// A file of this container.
    File {
        /// Where.
        path: PathBuf,
    },
}

impl Source {
    /// Reads a source.
    pub fn parse(text: &str) -> Result<Source, String> {
        match text.split_once(':') {
            Some(("http" | "https", _)) => Url::parse(text).map(|url| Source::Http { url }),
            Some(("fl", rest)) => {
                item(rest.strip_prefix("//").unwrap_or(rest)).map(|url| Source::Item { url, shown: text.to_owned() })
            }
            Some(("file", rest)) => {
                let path = PathBuf::from(rest.strip_prefix("//").unwrap_or(rest));
                if path.is_absolute() {
                    Ok(Source::File { path })
                } else {
                    Err(format!("\"{text}\" is no absolute path"))
                }
            }
            Some(_) | None => Err(format!("\"{text}\" is none of http:// https:// fl:// file:")),
        }
    }

    /// Its address, if it is on the network.
    pub fn url(&self) -> Option<&Url> {
        match self {
            Source::Http { url } | Source::Item { url, .. } => Some(url),
            Source::File { .. } => None,
        }
    }

    /// Whether it always says which digest its bytes have.
    pub fn announces(&self) -> bool {
        matches!(self, Source::Item { .. })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Http { url } => url.fmt(f),
            Source::Item { url: _, shown } => f.write_str(shown),
            Source::File { path } => write!(f, "file:{}", path.display()),
        }
    }
}
