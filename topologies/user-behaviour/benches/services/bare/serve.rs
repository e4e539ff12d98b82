//! A listener, and a task for each connection.

use std::io::Read;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

/// Answers on a port of its own choice until the process that started this one ends or kills it.
pub(super) fn run(router: impl Future<Output = Router>) {
    std::thread::spawn(|| {
        // Nothing is ever sent: a read that returns is the end.
        let _end = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let router = router.await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        eprintln!("bare listens on http://{}", listener.local_addr().expect("it is bound"));
        eprintln!("running;");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a fresh connection");
            let service = TowerToHyperService::new(router.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}
