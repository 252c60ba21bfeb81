//! Ports for processes that have to be told where to listen.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of this machine that nobody else is given as long as this lives, while whoever is told its number
/// may listen there, end, and listen again.
///
/// It is bound without listening, and shared: Linux gives such a port to nobody who asks for any, and to
/// everybody who asks for this one. A port that was merely free a moment ago may be another process's by now.
/// Elsewhere two cannot share a port that way, and it is merely free.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _held: Option<TcpSocket>,
}

impl Port {
    /// Reserves any port.
    ///
    /// # Errors
    /// When the system has none left.
    pub fn reserve() -> io::Result<Self> {
        let held = TcpSocket::new_v4()?;
        held.set_reuseaddr(true)?;
        held.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let number = held.local_addr()?.port();
        Ok(Self { number, _held: cfg!(target_os = "linux").then_some(held) })
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Where to listen, and to connect to.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.number)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn whoever_knows_a_reserved_port_listens_there_time_and_again() {
        let port = Port::reserve().unwrap();
        for _ in 0..2 {
            let refused = TcpStream::connect(port.address()).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            let listener = TcpListener::bind(port.address()).await.unwrap();
            let (client, accepted) =
                tokio::join!(TcpStream::connect(port.address()), listener.accept());
            drop((client.unwrap(), accepted.unwrap()));
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn whoever_asks_for_any_port_gets_no_reserved_one() {
        let reserved: Vec<Port> = (0..300).map(|_| Port::reserve().unwrap()).collect();
        let mut numbers: Vec<u16> = reserved.iter().map(Port::number).collect();
        for _ in 0..3_000 {
            let any = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            numbers.push(any.local_addr().unwrap().port());
        }
        let others = numbers.split_off(reserved.len());
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), reserved.len());
        assert!(others.iter().all(|other| numbers.binary_search(other).is_err()));
    }
}
