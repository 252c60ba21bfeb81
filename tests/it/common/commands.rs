//! The commands of the Tencent face, read from its table as it is written: what is added there is known here.

/// `service/command` of every row.
pub(crate) fn all() -> Vec<String> {
    let source = include_str!("../../../src/http/v4/table.rs");
    let rows: Vec<String> = source.split("Row { service: ").skip(1).map(of_row).collect();
    assert!(rows.len() > 10, "the table is written in another way: {rows:?}");
    rows.into_iter().map(|row| row.replacen(' ', "/", 1)).collect()
}

/// Service and name at the beginning of a row, with a blank between.
fn of_row(row: &str) -> String {
    let (service, rest) = row.split_once(',').expect("a service");
    let name = rest.split('"').nth(1).expect("a name");
    format!("{} {name}", service_of(service.trim()))
}

/// What a constant of the table stands for.
fn service_of(constant: &str) -> String {
    let source = include_str!("../../../src/http/v4/table.rs");
    let definition = format!("const {constant}: &str = \"");
    let (_, rest) = source.split_once(&definition).expect(constant);
    rest.split('"').next().expect("a service").to_owned()
}
