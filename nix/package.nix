# The program, built from the repository that this file is in.
{
  lib,
  rustPlatform,
  installShellFiles,
}:
let
  manifest = builtins.fromTOML (builtins.readFile ../Cargo.toml);
  # What is built, of all that is in the repository: a change of a host is no reason to build anew.
  source = lib.cleanSourceWith {
    src = ../.;
    name = "subvault-source";
    filter =
      path: _:
      !(builtins.elem (lib.removePrefix "${toString ../.}/" path) [
        "target"
        ".git"
        "nix"
      ]);
  };
in
rustPlatform.buildRustPackage {
  pname = "subvault";
  inherit (manifest.workspace.package) version;
  src = source;
  cargoLock.lockFile = ../Cargo.lock;
  cargoBuildFlags = [
    "--package"
    "subvault"
  ];
  # The repository asks for a static program; here it is linked with what the system has.
  env.RUSTFLAGS = "-C target-feature=-crt-static";
  nativeBuildInputs = [ installShellFiles ];
  # The tests mount Btrfs on loop devices, as root: `./test` in the repository runs them.
  doCheck = false;
  postInstall = ''
    $out/bin/subvault man man
    installManPage man/*
    for shell in bash fish zsh; do
      $out/bin/subvault completions $shell > subvault.$shell
    done
    installShellCompletion subvault.{bash,fish,zsh}
  '';
  meta = {
    description = "Snapshots, copies and archives of Btrfs subvolumes, and the way back";
    license = [
      lib.licenses.mit
      lib.licenses.asl20
    ];
    mainProgram = "subvault";
    platforms = [ "x86_64-linux" ];
  };
}
