//! Bodies of posts, and how their answers are judged.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use user_behaviour::generate::{GenerateSettings, Generator};

use super::load::Work;

/// Posts that are made before the load, of `records` records each.
pub(crate) struct Posts {
    bodies: Vec<Bytes>,
    records: usize,
    next: AtomicUsize,
    promised: AtomicU64,
}

impl Posts {
    /// Records that differ from each other: none is left out as a resend.
    pub(crate) fn make(posts: u64, records: usize) -> Self {
        let count = posts * records as u64;
        let settings = GenerateSettings { count, duplicate_share: 0.0, ..GenerateSettings::default() };
        let mut generator = Generator::new(settings).expect("valid settings");
        let mut texts = std::iter::from_fn(|| {
            let record = generator.next()?.record.expect("none is broken");
            let mut json = Vec::with_capacity(320);
            // With an id in each: both sides take the same, and neither has to derive one.
            record.to_json(&mut json);
            Some(json)
        });
        let bodies = (0..posts).map(|_| match records {
            1 => texts.next().expect("as many as were asked for").into(),
            _ => array(&texts.by_ref().take(records).collect::<Vec<_>>()),
        });
        Self { bodies: bodies.collect(), records, next: AtomicUsize::new(0), promised: AtomicU64::new(0) }
    }

    /// The same from the beginning, with nothing promised.
    pub(crate) fn again(self) -> Self {
        Self { next: AtomicUsize::new(0), promised: AtomicU64::new(0), ..self }
    }

    /// Records that were answered `202` so far.
    pub(crate) fn promised(&self) -> u64 {
        self.promised.load(Ordering::Relaxed)
    }
}

/// The body of an array.
pub(crate) fn array(texts: &[impl AsRef<[u8]>]) -> Bytes {
    let mut body = Vec::with_capacity(2 + texts.iter().map(|text| text.as_ref().len() + 1).sum::<usize>());
    for text in texts {
        body.push(if body.is_empty() { b'[' } else { b',' });
        body.extend_from_slice(text.as_ref());
    }
    body.push(b']');
    body.into()
}

/// A post of this body.
pub(crate) fn post(body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = axum::http::Uri::from_static("/v1/behaviours");
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

/// Panics unless the answer promises this many records, and refuses none.
pub(crate) fn demand_accepted(records: usize, status: StatusCode, body: &[u8]) {
    let begins = body.starts_with(format!("{{\"accepted\":{records},").as_bytes());
    let good = status == StatusCode::ACCEPTED && begins && body.ends_with(b"\"rejected\":[]}");
    assert!(good, "{status}: {}", String::from_utf8_lossy(&body[..body.len().min(500)]));
}

impl Work for Posts {
    type Asked = ();

    fn ask(&self) -> (Request<Full<Bytes>>, ()) {
        let body = &self.bodies[self.next.fetch_add(1, Ordering::Relaxed)];
        (post(body.clone()), ())
    }

    fn judge(&self, (): (), status: StatusCode, body: &Bytes) {
        demand_accepted(self.records, status, body);
        self.promised.fetch_add(self.records as u64, Ordering::Relaxed);
    }
}
