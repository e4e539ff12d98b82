//! A socket that says how it gets on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::progress::Progress;

/// How much is read at once of what is thrown away.
const SCRATCH: usize = 8 * 1024;

/// A stream, under TLS if there is any, whose reads and writes tell [`Progress`]. Closing it lingers where that lets a
/// refused caller read its answer.
pub(super) struct Watched<S> {
    stream: S,
    progress: Progress,
    closing: Closing,
}

enum Closing {
    No,
    Lingers,
    Done,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, progress: Progress) -> Self {
        Self { stream, progress, closing: Closing::No }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        if buf.filled().len() > before {
            self.progress.arrived();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.told(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.told(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        match flushed {
            Poll::Pending => self.progress.stalled(),
            Poll::Ready(_) => self.progress.flushed(),
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Closing::No = self.closing {
            let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
            ready!(self.told(shut))?;
            self.closing = if self.progress.linger() { Closing::Lingers } else { Closing::Done };
        }
        while let Closing::Lingers = self.closing {
            let mut scratch = [0; SCRATCH];
            let mut buf = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                self.closing = Closing::Done;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S> Watched<S> {
    fn told<T>(&self, outcome: Poll<T>) -> Poll<T> {
        match outcome {
            Poll::Pending => self.progress.stalled(),
            Poll::Ready(_) => self.progress.taken(),
        }
        outcome
    }
}
