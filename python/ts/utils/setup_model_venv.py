"""Script: makes a model's virtual environment, which sees the packages of the interpreter that runs this too.

Its own packages come first; the others follow by way of `inherited-site-packages.pth`.
"""

import os
import site
import sys
import venv


def create_venv(venv_path) -> None:
    """Makes the environment anew, with pip."""
    venv.create(venv_path, clear=True, with_pip=True)


def inherit_site_packages(venv_path) -> None:
    """Writes the .pth file and prints the folders in it."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    target = os.path.join(venv_path, "lib", version, "site-packages")
    if not os.path.isdir(target):
        raise FileNotFoundError(f"{venv_path} is no virtual environment of {version}: it has no {target}")
    user_folders = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    folders = [folder for folder in [*user_folders, *site.getsitepackages()] if os.path.exists(folder)]
    with open(os.path.join(target, "inherited-site-packages.pth"), "w", encoding="utf-8") as file:
        for folder in folders:
            file.write(f"{folder}\n")
            print(folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {os.path.basename(__file__)} FOLDER")
    create_venv(sys.argv[1])
    inherit_site_packages(sys.argv[1])
