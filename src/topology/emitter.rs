//! What a bolt emits through.

use super::{Hold, Shares};

/// Stages what a call emits until the call has succeeded.
///
/// A bolt's unit test makes one of its own: no runtime is needed.
///
/// ```
/// # use squall::Emitter;
/// let mut out = Emitter::default();
/// out.emit(1);
/// assert_eq!(out.staged(), [1]);
/// ```
#[derive(Debug)]
pub struct Emitter<T> {
    staged: Vec<T>,
    input: Shares,
    extra: Shares,
}

impl<T> Default for Emitter<T> {
    fn default() -> Self {
        Self { staged: Vec::new(), input: Shares::default(), extra: Shares::default() }
    }
}

impl<T> Emitter<T> {
    /// Emits a tuple, anchored to the input at hand.
    #[inline]
    pub fn emit(&mut self, tuple: T) {
        self.staged.push(tuple);
    }

    /// Keeps the input at hand open in `hold`, until `hold` is acked. Once a batch is enough, more does not hurt.
    pub fn hold(&self, hold: &mut Hold) {
        hold.0.join(&self.input);
    }

    /// Emits a tuple anchored to all inputs of `hold`, beside the input at hand.
    pub fn emit_for(&mut self, hold: &Hold, tuple: T) {
        self.extra.join(&hold.0);
        self.staged.push(tuple);
    }

    /// What is staged so far.
    pub fn staged(&self) -> &[T] {
        &self.staged
    }

    /// A mark for [`rewind`](Self::rewind).
    #[inline]
    pub fn mark(&self) -> usize {
        self.staged.len()
    }

    /// Takes back what was emitted since `mark`.
    pub fn rewind(&mut self, mark: usize) {
        self.staged.truncate(mark);
    }

    /// Makes `shares` those of the input at hand.
    pub(super) fn set_input(&mut self, shares: Shares) {
        self.input = shares;
    }

    /// The shares of the input at hand.
    pub(super) fn input(&self) -> &Shares {
        &self.input
    }

    /// Takes the shares of the input at hand.
    pub(super) fn take_input(&mut self) -> Shares {
        std::mem::take(&mut self.input)
    }

    /// Takes what is staged, anchored to the input at hand and to the holds that were emitted for; leaves room
    /// for `room` more.
    pub(super) fn take_staged(&mut self, room: usize) -> (Vec<T>, Shares) {
        let mut shares = self.input.split();
        shares.join(&self.extra);
        std::mem::take(&mut self.extra).ack();
        (std::mem::replace(&mut self.staged, Vec::with_capacity(room)), shares)
    }
}
