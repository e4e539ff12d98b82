//! How long a request may take.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use tower::{Layer, Service};

use crate::service::http::{Check, Code, Deadline, Problem};

/// Header by which a caller says how many milliseconds it waits for the answer. It can only lower the server's own time.
pub const REQUEST_TIMEOUT: &str = "x-request-timeout-ms";

/// Puts [`Bounded`] round a service.
#[derive(Clone)]
pub(super) struct DeadlineLayer(pub(super) Duration);

/// Puts the [`Deadline`] into a request's extensions, and runs it no longer than that. A header that cannot be read is
/// left to [`Readable`].
#[derive(Clone)]
pub(super) struct Bounded<S> {
    most: Duration,
    inner: S,
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded { most: self.0, inner }
    }
}

impl<S, R> Service<Request> for Bounded<S>
where
    S: Service<Request, Response = R, Error = Infallible>,
    S::Future: Send + 'static,
    R: IntoResponse,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let deadline = deadline(self.most, request.headers()).unwrap_or_else(|problem| {
            request.extensions_mut().insert(Unreadable(problem));
            Deadline::after(self.most)
        });
        request.extensions_mut().insert(deadline);
        let answer = self.inner.call(request);
        Box::pin(async move {
            Ok(match deadline.bound(answer).await {
                Ok(answer) => answer.into_response(),
                Err(problem) => problem.into_response(),
            })
        })
    }
}

/// What is wrong with the caller's header.
#[derive(Debug, Clone)]
struct Unreadable(Problem);

/// Refuses requests whose header cannot be read; behind tokens and limits, so that to strangers nothing is said, and to
/// nobody more often than he may ask.
#[derive(Debug, Clone)]
pub(super) struct Readable;

impl Check for Readable {
    fn check(&self, request: &mut Request) -> Result<(), Box<Response>> {
        match request.extensions_mut().remove::<Unreadable>() {
            Some(Unreadable(problem)) => Err(Box::new(problem.into_response())),
            None => Ok(()),
        }
    }
}

/// Until when the answer is of use.
///
/// # Errors
/// A header that is no number of milliseconds: a caller that believes in a deadline which nobody keeps is worse off than
/// one that is told.
fn deadline(most: Duration, headers: &HeaderMap) -> Result<Deadline, Problem> {
    let Some(header) = headers.get(REQUEST_TIMEOUT) else { return Ok(Deadline::after(most)) };
    let ms = header.to_str().ok().and_then(|text| text.parse::<u64>().ok()).filter(|ms| *ms > 0);
    let ms = ms.ok_or_else(|| {
        let detail = format!("the header `{REQUEST_TIMEOUT}` is a whole number of milliseconds, at least 1");
        Problem::new(Code::InvalidRequest, detail).with("header", REQUEST_TIMEOUT)
    })?;
    Ok(Deadline::after(most.min(Duration::from_millis(ms))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[tokio::test(start_paused = true)]
    async fn a_caller_can_lower_it() {
        let most = Duration::from_secs(5);
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_TIMEOUT, HeaderValue::from_static(value));
            deadline(most, &headers).map(Deadline::left)
        };
        assert_eq!(deadline(most, &HeaderMap::new()).unwrap().left(), most);
        assert_eq!(with("200"), Ok(Duration::from_millis(200)));
        assert_eq!(with("9000"), Ok(most));
        assert_eq!(with("18446744073709551615"), Ok(most));
        for bad in ["", "0", "-1", "1.5", "soon", "18446744073709551616"] {
            assert_eq!(with(bad).unwrap_err().code(), Code::InvalidRequest, "{bad}");
        }
    }
}
