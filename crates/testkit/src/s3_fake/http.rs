//! The HTTP side: one request in, faults applied, the S3 service asked, the answer sent or broken.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

use super::faults::{FaultKind, Op};
use super::service::Bucket;
use super::{ACCESS_KEY, SECRET_KEY, Shared};

/// How long a body that is going to break off stays open after its last piece.
const BREAK_AFTER: Duration = Duration::from_millis(10);

/// The largest body that is taken.
const BODY_BYTES_MAX: usize = 1 << 30;

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut builder = S3ServiceBuilder::new(Bucket(Arc::clone(&shared)));
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let service = builder.build();
    // A client that goes away while it is accepted is no reason to stop.
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, service.clone(), Arc::clone(&shared)));
        }
    }
}

async fn connection(stream: TcpStream, service: S3Service, shared: Arc<Shared>) {
    let handler = service_fn(move |request| {
        let (service, shared) = (service.clone(), Arc::clone(&shared));
        async move { answer(request, &service, &shared).await }
    });
    // Waiting for more to send together would cost 40 ms for each small answer.
    let _ = stream.set_nodelay(true);
    // How a connection ends is the client's matter; broken ones are what this server is for.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), handler).await;
}

async fn answer(request: Request<Incoming>, service: &S3Service, shared: &Shared) -> Result<Response<Reply>, Broken> {
    let op = classify(&request);
    let fault = op.and_then(|op| shared.faults().draw(op));
    note_signature(&request, shared);
    let headers_refused = !shared.options.profile.checksum_headers && has_checksum(&request);
    match fault {
        Some(FaultKind::Drop) => return Err(Broken),
        Some(FaultKind::Latency(pause)) => tokio::time::sleep(pause).await,
        Some(FaultKind::Answer(status, code)) => return refuse(request, status, code).await,
        _ if headers_refused => return refuse(request, 400, "InvalidArgument").await,
        _ => {}
    }
    let done = service.call(request.map(s3s::Body::from)).await.map_err(|_| Broken)?;
    let (mut parts, mut body) = done.into_parts();
    let body = body.store_all_limited(BODY_BYTES_MAX).await.map_err(|_| Broken)?;
    let half = body.slice(..body.len() / 2);
    let reply = match fault {
        Some(FaultKind::LoseReply) => return Err(Broken),
        Some(FaultKind::CutBody) if !body.is_empty() => {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            Reply { pieces: VecDeque::from([half]), breaks: true, ..Reply::default() }
        }
        Some(FaultKind::ShortBody) => {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(half.len()));
            Reply::whole(half)
        }
        Some(FaultKind::SlowBody(pause)) => {
            let piece = body.len().div_ceil(8).max(1);
            let pieces = (0..body.len()).step_by(piece).map(|from| body.slice(from..(from + piece).min(body.len())));
            Reply { pieces: pieces.collect(), pause: Some(pause), ..Reply::default() }
        }
        _ => Reply::whole(body),
    };
    Ok(Response::from_parts(parts, reply))
}

/// What a request wants, by method and query.
fn classify<B>(request: &Request<B>) -> Option<Op> {
    let query = request.uri().query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let on_bucket = !request.uri().path().trim_matches('/').contains('/');
    Some(match *request.method() {
        Method::GET if has("uploads") => Op::ListUploads,
        Method::GET if has("uploadId") => Op::ListParts,
        Method::GET if on_bucket => Op::List,
        Method::GET => Op::Get,
        Method::HEAD => Op::Head,
        Method::PUT if has("partNumber") => Op::PutPart,
        Method::PUT => Op::Put,
        Method::DELETE if has("uploadId") => Op::Abort,
        Method::DELETE => Op::Delete,
        Method::POST if has("uploads") => Op::CreateUpload,
        Method::POST if has("uploadId") => Op::Complete,
        Method::POST if has("restore") => Op::Restore,
        _ => return None,
    })
}

fn note_signature<B>(request: &Request<B>, shared: &Shared) {
    let unsigned = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.contains("UNSIGNED")
    };
    if request.headers().get("x-amz-content-sha256").is_some_and(unsigned) {
        shared.faults().unsigned_bodies += 1;
    }
}

fn has_checksum<B>(request: &Request<B>) -> bool {
    let names = |name: &str| name.starts_with("x-amz-checksum-") || name == "x-amz-sdk-checksum-algorithm";
    request.headers().keys().any(|name| names(name.as_str()))
}

async fn refuse(request: Request<Incoming>, status: u16, code: &str) -> Result<Response<Reply>, Broken> {
    let head = request.method() == Method::HEAD;
    // An answer before the body has come would look like a broken connection to the client.
    s3s::Body::from(request.into_body()).store_all_limited(BODY_BYTES_MAX).await.map_err(|_| Broken)?;
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>as the test wants</Message></Error>"
    );
    let body = if head { Bytes::new() } else { Bytes::from(text) };
    let mut response = Response::new(Reply::whole(body));
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Broken)?;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    Ok(response)
}

/// A connection is to end here.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection ends here, as the test wants")
    }
}

impl Error for Broken {}

impl From<Infallible> for Broken {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The body of an answer: pieces, pauses, and perhaps no end.
#[derive(Default)]
pub(super) struct Reply {
    pieces: VecDeque<Bytes>,
    pause: Option<Duration>,
    sleeping: Option<Pin<Box<Sleep>>>,
    breaks: bool,
}

impl Reply {
    fn whole(body: Bytes) -> Self {
        Self { pieces: VecDeque::from([body]), ..Self::default() }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        // What was sent has to leave before the connection breaks, or the client would see no answer at all.
        let before_break = self.pieces.is_empty().then_some(BREAK_AFTER).filter(|_| self.breaks);
        if let Some(pause) = self.pause.filter(|_| !self.pieces.is_empty()).or(before_break) {
            let sleeping = self.sleeping.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            if sleeping.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.sleeping = None;
        }
        match self.pieces.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.breaks => Poll::Ready(Some(Err(Broken))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.iter().all(Bytes::is_empty) && !self.breaks
    }

    fn size_hint(&self) -> SizeHint {
        let left: usize = self.pieces.iter().map(Bytes::len).sum();
        if self.breaks { SizeHint::default() } else { SizeHint::with_exact(left as u64) }
    }
}
