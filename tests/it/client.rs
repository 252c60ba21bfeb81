//! The two clients that show how: the module at `/client.js`, in a real browser, and the Rust example.

mod example;
mod faked;
mod line;
mod page;
mod real;
mod returning;
mod served;

/// The module, as the server gives it out.
const MODULE: &str = include_str!("../../src/http/client.js");

/// The example of the README that uses it.
fn readme() -> &'static str {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```js\nimport").expect("an example that imports");
    rest.split_once("\n```").expect("its end").0
}
