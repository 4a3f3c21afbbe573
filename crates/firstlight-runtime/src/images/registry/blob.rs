//! How does a layer come over a network that stalls, breaks and lies about what it sends? Asked by pulls.

use super::Session;
use super::http::{Answer, Fault};
use crate::images::manifest::Descriptor;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::Instant;

/// How often a transfer that broke off is taken up again where it broke off.
const RESUMES_MAX: usize = 5;
/// Wait before it is, times the number of the try.
const RESUME_WAIT: Duration = Duration::from_millis(250);
/// The slowest a transfer may be: this many bytes in each such time. One byte a second would hold a pull for ever.
const PACE_BYTES: u64 = 16 << 10;
const PACE: Duration = Duration::from_secs(60);

/// A blob on its way.
#[derive(Debug)]
pub(in crate::images) struct Blob<'a> {
    session: &'a Session<'a>,
    url: String,
    size: u64,
    received: u64,
    answer: Option<Answer>,
    resumes: usize,
    /// Since when, and with how many bytes, the pace is being watched.
    watched: (Instant, u64),
}

impl Session<'_> {
    /// Begins to fetch a blob. Its digest is checked by whoever reads it.
    pub(in crate::images) fn blob(&self, descriptor: &Descriptor) -> Blob<'_> {
        Blob {
            session: self,
            url: self.url("blobs", &descriptor.digest.to_string()),
            size: descriptor.size,
            received: 0,
            answer: None,
            resumes: 0,
            watched: (Instant::now(), 0),
        }
    }
}

impl Blob<'_> {
    /// The next bytes; `None` when all that were promised have come.
    ///
    /// # Errors
    /// If the transfer breaks off too often or is too slow, or the registry answers with something else.
    pub(in crate::images) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        while self.received < self.size {
            let fault = match self.try_chunk().await {
                Ok(Some(chunk)) => {
                    self.check_pace()?;
                    return Ok(Some(chunk));
                }
                Ok(None) => {
                    Fault::Broken(format!("{}: it ends after {} of {} bytes", self.url, self.received, self.size))
                }
                Err(fault) => fault,
            };
            self.answer = None;
            self.resumes += 1;
            if self.resumes > RESUMES_MAX || !matches!(fault, Fault::Broken(_)) {
                return Err(fault);
            }
            tokio::time::sleep(RESUME_WAIT * u32::try_from(self.resumes).unwrap_or(1)).await;
        }
        Ok(None)
    }

    async fn try_chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        let mut answer = match self.answer.take() {
            Some(answer) => answer,
            None => self.begin().await?,
        };
        let chunk = answer.chunk().await?;
        self.answer = Some(answer);
        // More than was promised is passed on: the reader counts, and refuses it by name.
        self.received += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Ok(chunk)
    }

    async fn begin(&self) -> Result<Answer, Fault> {
        let from = (self.received > 0).then_some(self.received);
        let mut answer = self.session.get(&self.url, None, from).await?;
        if from.is_some() && !answer.is_partial() {
            // A server that cannot begin in the middle.
            answer.skip(self.received).await?;
        }
        Ok(answer)
    }

    fn check_pace(&mut self) -> Result<(), Fault> {
        let (since, then) = self.watched;
        if since.elapsed() < PACE {
            return Ok(());
        }
        let came = self.received - then;
        if came < PACE_BYTES {
            let (url, seconds) = (&self.url, PACE.as_secs());
            return Err(Fault::Wrong(format!("{url}: only {came} bytes came in {seconds} s")));
        }
        self.watched = (Instant::now(), self.received);
        Ok(())
    }
}
