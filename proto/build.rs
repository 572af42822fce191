//! Compiles the .proto files without a system protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(
        ["syndic/v1/coordination.proto", "syndic/v1/control.proto", "syndic/trainer/v1/trainer.proto"],
        ["proto"],
    )?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
