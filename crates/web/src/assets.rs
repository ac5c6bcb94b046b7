//! Style sheet, script and mark: in the binary, at addresses that name their content, so that browsers keep them.
//!
//! Knows no page and no session.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

/// One embedded file.
pub(crate) struct Asset {
    /// Where pages link to.
    pub(crate) url: String,
    content_type: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn new(name: &str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash = hex::encode(Sha256::digest(bytes));
        Self { url: format!("/assets/{}-{name}", &hash[..12]), content_type, bytes }
    }
}

/// The style sheet.
pub(crate) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("guichet.css", "text/css; charset=utf-8", include_bytes!("../assets/guichet.css")));
/// The script; every page works without it.
pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("guichet.js", "text/javascript; charset=utf-8", include_bytes!("../assets/guichet.js"))
});
/// The bank's mark.
pub(crate) static MARK: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("mark.svg", "image/svg+xml", include_bytes!("../assets/mark.svg")));

/// Serves an asset for a year; an address with another hash is another file and does not exist.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let url = format!("/assets/{name}");
    match [&STYLE, &SCRIPT, &MARK].into_iter().find(|asset| asset.url == url) {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
                (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
            ],
            Body::from(asset.bytes),
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
