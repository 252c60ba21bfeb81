//! The reader's page: whole in the binary, and nothing of it comes from elsewhere.

use reqwest::Method;

use crate::common::Server;

#[tokio::test]
async fn the_page_and_its_parts_are_served_and_ask_nobody_else() {
    let server = Server::start().await;
    let parts = [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/app.js", "text/javascript; charset=utf-8"),
        ("/docs/style.css", "text/css; charset=utf-8"),
    ];
    for (path, kind) in parts {
        let answer = server.send(Method::GET, path, &[], "").await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["content-type"], kind);
        let policy = answer.headers["content-security-policy"].to_str().expect("a text");
        for rule in ["default-src 'none'", "script-src 'self'", "style-src 'self'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        let text = answer.body.as_str().expect("a text");
        assert!(!text.contains("://"), "{path} names another place");
        for inline in ["<style", "onclick=", "style=", "innerHTML", "eval("] {
            assert!(!text.contains(inline), "{path}: {inline}");
        }
    }
    let page = server.send(Method::GET, "/docs", &[], "").await;
    let page = page.body.as_str().expect("a text").to_owned();
    for part in ["docs/app.js", "docs/style.css", "docs/icon.svg"] {
        assert!(page.contains(part), "the page has {part}");
    }
    server.stop().await;
}
