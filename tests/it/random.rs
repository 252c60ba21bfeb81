//! Thousands of damaged requests on both faces: none is the server's fault, and none that is refused leaves
//! a trace in any table.
//!
//! Each request begins as one that would be taken; then it loses, doubles, nests or mistypes a part, gets
//! numbers and characters from the edges of what is possible, another id in its path, another query. A run
//! prints its seed; `MUSTER_TEST_SEED` repeats one, and `MUSTER_TEST_REQUESTS` says how many are sent to
//! each face.

mod damage;
mod native;
mod player;
mod tencent;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// One of these.
fn one<'a, T>(dice: &mut StdRng, of: &'a [T]) -> &'a T {
    of.choose(dice).expect("something to choose from")
}
