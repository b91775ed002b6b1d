# The tests, in the form of nix-unit: sets whose names begin with `test`, of an expression and what is expected.
{
  lib ? import ./stub,
}:
{
  attributes = import ./attributes.nix { inherit lib; };
  flake = import ./flake.nix { inherit lib; };
  hosts = import ./hosts.nix { inherit lib; };
  layouts = import ./layouts.nix { inherit lib; };
  module = import ./module.nix { inherit lib; };
  settings = import ./settings.nix { inherit lib; };
  toml = import ./toml.nix { inherit lib; };
  units = import ./units.nix { inherit lib; };
}
