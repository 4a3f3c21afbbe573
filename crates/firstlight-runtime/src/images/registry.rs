//! How does a reference become bytes? Asked by pulls.
//!
//! The OCI distribution specification's pull side, over HTTP that is bounded everywhere: documents and error texts by
//! size, requests by time, blobs by a pace, redirects by number and by where they may lead. Why not a ready client:
//! `docs/decisions/registry-client.md`.
//!
//! ```text
//! Registry ── open(reference) ──► Session          one per pull: one endpoint that has the image, one credential
//!                                   ├─ document(version)   manifest or index, its digest checked
//!                                   └─ blob(descriptor)    a stream that resumes where it broke off
//! ```

mod blob;
mod challenge;
mod endpoint;
mod http;

use super::credentials::{Credential, Keyring};
use super::digest::Digest;
use super::manifest::{ACCEPT, DOCUMENT_MAX};
use super::reference::{DOCKER_HUB, Reference, Version};
use crate::Registries;
use endpoint::Endpoint;
pub(super) use http::Fault;
use http::{Answer, Http};
use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

/// Where Docker Hub's API is.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// The registries of this engine.
#[derive(Debug)]
pub(super) struct Registry {
    http: Http,
    mirrors: BTreeMap<String, Vec<Endpoint>>,
    plain_http: Vec<String>,
}

/// A pull's hold on one registry.
#[derive(Debug)]
pub(super) struct Session<'a> {
    http: &'a Http,
    endpoint: Endpoint,
    repository: String,
    credential: Option<Credential>,
    /// What requests carry since the registry asked for it. A lock because the layers of one image come in parallel
    /// and any of them may find that the token ran out; held only to copy.
    authorization: Mutex<Option<String>>,
}

/// A manifest or an index as it came.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
    pub(super) content_type: Option<String>,
}

impl Registry {
    /// Checks the settings.
    ///
    /// # Errors
    /// Which mirror is not usable and why.
    pub(super) fn new(registries: &Registries) -> io::Result<Registry> {
        let Registries { mirrors, plain_http, pulls_at_once: _ } = registries;
        let mut checked = BTreeMap::new();
        for (host, endpoints) in mirrors {
            let endpoints = endpoints.iter().map(|text| {
                Endpoint::parse(text, plain_http, Some(host))
                    .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, format!("registries.mirrors.{host}: {e}")))
            });
            checked.insert(host.clone(), endpoints.collect::<io::Result<Vec<_>>>()?);
        }
        Ok(Registry { http: Http::new(plain_http.clone()), mirrors: checked, plain_http: plain_http.clone() })
    }

    /// Finds an endpoint that has the image, mirrors first, and fetches what the reference leads to.
    ///
    /// # Errors
    /// Why no endpoint has it, in containerd's words.
    pub(super) async fn open(
        &self,
        reference: &Reference,
        keyring: &Keyring,
    ) -> Result<(Session<'_>, Fetched), String> {
        let mut faults = Vec::new();
        for endpoint in self.endpoints(reference)? {
            match self.open_at(&endpoint, reference, keyring).await {
                Ok(found) => return Ok(found),
                Err(fault) => faults.push((endpoint, fault.say(reference))),
            }
        }
        let text = match faults.as_slice() {
            [(_, only)] => only.clone(),
            several => {
                let each: Vec<String> =
                    several.iter().map(|(at, fault)| format!("{}: {fault}", at.authority)).collect();
                each.join("; ")
            }
        };
        Err(format!("failed to resolve reference \"{reference}\": {text}"))
    }

    /// The digest the reference leads to now, if an endpoint says so without sending the document.
    pub(super) async fn head(&self, reference: &Reference, keyring: &Keyring) -> Option<Digest> {
        for endpoint in self.endpoints(reference).ok()? {
            for credential in credentials(keyring, &endpoint, reference) {
                let session = self.session(&endpoint, reference, credential);
                if let Ok(digest) = session.head(&reference.version).await {
                    return digest;
                }
            }
        }
        None
    }

    async fn open_at(
        &self,
        endpoint: &Endpoint,
        reference: &Reference,
        keyring: &Keyring,
    ) -> Result<(Session<'_>, Fetched), Fault> {
        let mut outcome = Err(Fault::Denied(String::new()));
        for credential in credentials(keyring, endpoint, reference) {
            let session = self.session(endpoint, reference, credential);
            outcome = session.document(&reference.version).await.map(|fetched| (session, fetched));
            if !matches!(outcome, Err(Fault::Denied(_))) {
                return outcome;
            }
        }
        outcome
    }

    fn endpoints(&self, reference: &Reference) -> Result<Vec<Endpoint>, String> {
        let upstream = if reference.host == DOCKER_HUB { DOCKER_HUB_API } else { &reference.host };
        let mut endpoints = self.mirrors.get(&reference.host).cloned().unwrap_or_default();
        endpoints.push(Endpoint::parse(upstream, &self.plain_http, None)?);
        Ok(endpoints)
    }

    fn session(&self, endpoint: &Endpoint, reference: &Reference, credential: Option<&Credential>) -> Session<'_> {
        Session {
            http: &self.http,
            endpoint: endpoint.clone(),
            repository: reference.repository.clone(),
            credential: credential.cloned(),
            authorization: Mutex::new(None),
        }
    }
}

/// What to try at an endpoint: every credential for this very host, or none at all.
fn credentials<'a>(keyring: &'a Keyring, endpoint: &Endpoint, reference: &Reference) -> Vec<Option<&'a Credential>> {
    let fitting = keyring.matching(&endpoint.authority, &reference.repository);
    if fitting.is_empty() { vec![None] } else { fitting.into_iter().map(Some).collect() }
}

impl Session<'_> {
    /// A manifest or an index.
    pub(super) async fn document(&self, version: &Version) -> Result<Fetched, Fault> {
        let url = self.url("manifests", &version.to_string());
        let answer = self.get(&url, Some(ACCEPT), None).await?;
        let content_type = answer.header("content-type");
        let bytes = answer.bytes(DOCUMENT_MAX).await?;
        let digest = Digest::of(&bytes);
        match version {
            Version::Digest(wanted) if *wanted != digest => {
                Err(Fault::Wrong(format!("the registry answered {wanted} with a document whose digest is {digest}")))
            }
            _ => Ok(Fetched { bytes, digest, content_type }),
        }
    }

    /// A small blob as a whole, its digest checked.
    pub(super) async fn small_blob(&self, digest: &Digest) -> Result<Vec<u8>, Fault> {
        let answer = self.get(&self.url("blobs", &digest.to_string()), None, None).await?;
        let bytes = answer.bytes(DOCUMENT_MAX).await?;
        let found = Digest::of(&bytes);
        if found == *digest {
            Ok(bytes)
        } else {
            Err(Fault::Wrong(format!("the registry answered {digest} with content whose digest is {found}")))
        }
    }

    async fn head(&self, version: &Version) -> Result<Option<Digest>, Fault> {
        let url = self.url("manifests", &version.to_string());
        let answer = self.ask(http::Method::Head, &url, Some(ACCEPT), None).await?;
        Ok(answer.header("docker-content-digest").and_then(|text| Digest::parse(&text).ok()))
    }

    fn url(&self, kind: &str, name: &str) -> String {
        let Endpoint { origin, mirror_of, .. } = &self.endpoint;
        // Pull-through caches learn from it whose image is meant, as containerd tells them.
        let namespace = mirror_of.as_ref().map_or(String::new(), |host| format!("?ns={host}"));
        format!("{origin}/v2/{}/{kind}/{name}{namespace}", self.repository)
    }

    async fn get(&self, url: &str, accept: Option<&str>, from: Option<u64>) -> Result<Answer, Fault> {
        self.ask(http::Method::Get, url, accept, from).await
    }

    /// Asks, and once more with what the registry then wants to see: at first, and when a token has run out.
    async fn ask(
        &self,
        method: http::Method,
        url: &str,
        accept: Option<&str>,
        from: Option<u64>,
    ) -> Result<Answer, Fault> {
        let carried = self.authorization();
        let request = http::Request { method, url, accept, from, authorization: carried.as_deref() };
        let answer = self.http.send(&request).await?;
        if !answer.is_unauthorized() {
            return answer.successful().await;
        }
        let granted = self.authorize(&answer).await?;
        self.http.send(&http::Request { authorization: Some(&granted), ..request }).await?.successful().await
    }

    fn authorization(&self) -> Option<String> {
        self.authorization.lock().expect("nothing panics while it is held").clone()
    }

    async fn authorize(&self, refused: &Answer) -> Result<String, Fault> {
        let granted = challenge::answer(
            self.http,
            &self.endpoint,
            &self.repository,
            self.credential.as_ref(),
            &refused.headers("www-authenticate"),
        )
        .await?;
        *self.authorization.lock().expect("nothing panics while it is held") = Some(granted.clone());
        Ok(granted)
    }
}
