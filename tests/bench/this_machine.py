"""What the figures of a page were measured on, in a few words."""
import os
import platform


def described():
    """The kernel's version without what its builder added."""
    return (f"Linux {platform.release().partition('-')[0]}, {platform.machine()}, {' '.join(platform.libc_ver())}, "
            f"{os.cpu_count()} cores")
