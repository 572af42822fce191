//! Programs of others that some tests run, and that Debian has packages of.

use std::path::Path;
use std::process::Command;

use crate::gate::Failure;

/// A package, and a file by which it is known to be there.
struct Tool {
    package: &'static str,
    file: &'static str,
}

const TOOLS: [Tool; 5] = [
    Tool { package: "golang-go", file: "/usr/bin/go" },
    Tool {
        package: "golang-golang-x-mod-dev",
        file: "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog/tlog.go",
    },
    Tool { package: "faketime", file: "/usr/bin/faketime" },
    Tool { package: "openssl", file: "/usr/bin/openssl" },
    // Its programs are in a folder named by their version; this file is there with any.
    Tool { package: "postgresql", file: "/var/lib/dpkg/info/postgresql.list" },
];

/// Installs what is missing, where this user may; otherwise says loudly which tests will do without.
pub(crate) fn check() -> Result<String, Failure> {
    let missing = missing(&TOOLS);
    if missing.is_empty() {
        return Ok(format!("all {} are here", TOOLS.len()));
    }
    if !may_install() {
        let names = missing.join(" ");
        eprintln!("  *** MISSING: {names}. The tests that need them say that they were skipped. ***");
        eprintln!("  *** On Debian: sudo apt-get install {names} ***");
        return Ok(format!("MISSING: {names}"));
    }
    apt_get(&["update", "-qq"])?;
    let install = [["install", "-y", "-qq", "--no-install-recommends"].as_slice(), &missing].concat();
    apt_get(&install)?;
    Ok(format!("installed {}", missing.join(", ")))
}

fn missing(tools: &[Tool]) -> Vec<&'static str> {
    tools.iter().filter(|tool| !Path::new(tool.file).exists()).map(|tool| tool.package).collect()
}

/// Whether this is Debian, or of its family, and ours to install on.
fn may_install() -> bool {
    let id = Command::new("id").arg("-u").output().ok();
    let is_root = id.is_some_and(|id| id.stdout.trim_ascii() == b"0");
    is_root && Path::new("/usr/bin/apt-get").exists()
}

fn apt_get(arguments: &[&str]) -> Result<(), Failure> {
    println!("$ apt-get {}", arguments.join(" "));
    let status = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Failure::new("install the packages named above by hand, and run this again")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named_by_its_package() {
        let here = Tool { package: "here", file: "/" };
        let gone = Tool { package: "gone", file: "/nowhere/at/all" };
        assert_eq!(missing(&[here, gone]), ["gone"]);
    }
}
