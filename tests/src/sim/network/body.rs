//! Bodies of calls as lists and channels of pieces, which can be kept, doubled and delayed.

use std::any::Any;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::HeaderMap;

/// A frame of a body.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// The next frame of a body; none at its end.
pub(super) async fn next_piece(body: &mut Body) -> Option<Result<Piece, Status>> {
    let frame = match body.frame().await? {
        Ok(frame) => frame,
        Err(status) => return Some(Err(status)),
    };
    Some(Ok(match frame.into_data() {
        Ok(mut data) => Piece::Data(data.copy_to_bytes(data.remaining())),
        Err(frame) => Piece::Trailers(frame.into_trailers().unwrap_or_default()),
    }))
}

/// All frames of a body.
pub(super) async fn collect(mut body: Body) -> Result<Vec<Piece>, Status> {
    let mut pieces = Vec::new();
    while let Some(piece) = next_piece(&mut body).await {
        pieces.push(piece?);
    }
    Ok(pieces)
}

/// A body that arrives.
pub(super) struct Incoming {
    whole: VecDeque<Piece>,
    coming: Option<mpsc::UnboundedReceiver<Result<Piece, Status>>>,
    /// Dropped with the body.
    _closer: Box<dyn Any + Send + Sync>,
}

impl Incoming {
    pub fn whole(pieces: Vec<Piece>) -> Self {
        Self { whole: pieces.into(), coming: None, _closer: Box::new(()) }
    }

    pub fn streamed(
        coming: mpsc::UnboundedReceiver<Result<Piece, Status>>,
        closer: Box<dyn Any + Send + Sync>,
    ) -> Self {
        Self { whole: VecDeque::new(), coming: Some(coming), _closer: closer }
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let piece = match (&mut this.coming, this.whole.pop_front()) {
            (_, Some(piece)) => Some(Ok(piece)),
            (Some(coming), None) => match coming.poll_recv(context) {
                Poll::Ready(piece) => piece,
                Poll::Pending => return Poll::Pending,
            },
            (None, None) => None,
        };
        Poll::Ready(piece.map(|piece| {
            piece.map(|piece| match piece {
                Piece::Data(data) => Frame::data(data),
                Piece::Trailers(trailers) => Frame::trailers(trailers),
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.coming.is_none() && self.whole.is_empty()
    }
}
