//! Closures fused into an edge.
//!
//! A [`Flow`] is what stands between an operator and the edge it writes to: a chain of closures known by type, so
//! that the whole chain runs inside the edge's own loop over a batch. A step costs what the closure costs.

use std::marker::PhantomData;

use super::Data;

/// A chain of fused steps. Written by the methods of [`Stream`](super::Stream); a helper function that takes part
/// of a topology names it as `F: Flow<Out = T>`.
pub trait Flow: Clone + Send + 'static {
    /// What enters the chain.
    type In: Data;
    /// What leaves it.
    type Out: Data;

    /// Runs one tuple through; `next` is called for each that comes out.
    fn each(&mut self, tuple: Self::In, next: &mut impl FnMut(Self::Out));

    /// Runs a batch through.
    fn all(&mut self, tuples: Vec<Self::In>) -> Vec<Self::Out> {
        let mut out = Vec::with_capacity(tuples.len());
        for tuple in tuples {
            self.each(tuple, &mut |t| out.push(t));
        }
        out
    }

    /// Names of the steps, in order, for descriptions.
    fn steps(&self, names: &mut Vec<&'static str>);
}

/// No step at all.
pub struct Direct<T>(PhantomData<fn() -> T>);

impl<T> Default for Direct<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for Direct<T> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<T: Data> Flow for Direct<T> {
    type In = T;
    type Out = T;

    #[inline]
    fn each(&mut self, tuple: T, next: &mut impl FnMut(T)) {
        next(tuple);
    }

    fn all(&mut self, tuples: Vec<T>) -> Vec<T> {
        tuples
    }

    fn steps(&self, _: &mut Vec<&'static str>) {}
}

/// Declares a step: its type, what its closure returns, and how that reaches `next`.
macro_rules! step {
    ($(#[$doc:meta])* $name:ident, $label:literal, -> $returns:ty, ($($bound:tt)*), |$closure:ident, $tuple:ident, $next:ident| $body:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name<F, G> {
            before: F,
            closure: G,
        }

        impl<F, G> $name<F, G> {
            pub(super) fn new(before: F, closure: G) -> Self {
                Self { before, closure }
            }
        }

        impl<F, G, $($bound)*> Flow for $name<F, G>
        where
            F: Flow,
            G: FnMut(F::Out) -> $returns + Clone + Send + 'static,
        {
            type In = F::In;
            type Out = U;

            #[inline]
            fn each(&mut self, tuple: F::In, $next: &mut impl FnMut(U)) {
                let $closure = &mut self.closure;
                self.before.each(tuple, &mut |$tuple| $body);
            }

            fn steps(&self, names: &mut Vec<&'static str>) {
                self.before.steps(names);
                names.push($label);
            }
        }
    };
}

step!(
    /// One tuple out for each in.
    Map, "map", -> U, (U: Data), |closure, tuple, next| next(closure(tuple))
);
step!(
    /// At most one tuple out for each in.
    FilterMap, "filter_map", -> Option<U>, (U: Data), |closure, tuple, next| {
        if let Some(out) = closure(tuple) {
            next(out);
        }
    }
);
step!(
    /// Any number of tuples out for each in.
    FlatMap, "flat_map", -> I, (U: Data, I: IntoIterator<Item = U>), |closure, tuple, next| {
        for out in closure(tuple) {
            next(out);
        }
    }
);

/// Any number of tuples out for each in, given to a callback: for pieces borrowed from the tuple.
pub struct FlatMapWith<F, G, U> {
    before: F,
    closure: G,
    out: PhantomData<fn() -> U>,
}

impl<F, G, U> FlatMapWith<F, G, U> {
    pub(super) fn new(before: F, closure: G) -> Self {
        Self { before, closure, out: PhantomData }
    }
}

impl<F: Clone, G: Clone, U> Clone for FlatMapWith<F, G, U> {
    fn clone(&self) -> Self {
        Self { before: self.before.clone(), closure: self.closure.clone(), out: PhantomData }
    }
}

impl<F, G, U: Data> Flow for FlatMapWith<F, G, U>
where
    F: Flow,
    G: FnMut(F::Out, &mut dyn FnMut(U)) + Clone + Send + 'static,
{
    type In = F::In;
    type Out = U;

    #[inline]
    fn each(&mut self, tuple: F::In, next: &mut impl FnMut(U)) {
        let closure = &mut self.closure;
        self.before.each(tuple, &mut |t| closure(t, &mut |u| next(u)));
    }

    fn steps(&self, names: &mut Vec<&'static str>) {
        self.before.steps(names);
        names.push("flat_map_with");
    }
}
