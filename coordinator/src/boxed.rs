//! Futures that cross the border of this crate.

use std::pin::Pin;

/// A future whose code is compiled in this crate. That of an `async fn` is compiled anew in every program that awaits it, which
/// costs each test of the services a minute.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
