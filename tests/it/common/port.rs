//! Ports for processes of a test's own.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A port of this machine that nobody else is given as long as this lives, while whoever is told its number
/// may listen there, end, and listen again.
///
/// It is bound without listening, and shared: the system gives such a port to nobody who asks for any, and to
/// everybody who asks for this one. A port that was merely free a moment ago may be another test's by now.
pub(crate) struct Port {
    number: u16,
    _held: TcpSocket,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let held = TcpSocket::new_v4().expect("a socket");
        held.set_reuseaddr(true).expect("a shared port");
        held.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let number = held.local_addr().expect("an address").port();
        Self { number, _held: held }
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// Where to listen, and to connect to.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.number)
    }
}

#[tokio::test]
async fn a_reserved_port_is_listened_on_by_those_who_know_it_time_and_again() {
    let port = Port::reserve();
    let address = port.address();
    for _ in 0..2 {
        let refused = TcpStream::connect(&address).await.expect_err("nobody listens");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        let listener = TcpListener::bind(&address).await.expect("to listen there");
        let (client, accepted) = tokio::join!(TcpStream::connect(&address), listener.accept());
        drop((client.expect("a connection"), accepted.expect("the same connection")));
    }
}
