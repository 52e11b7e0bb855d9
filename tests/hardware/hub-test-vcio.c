// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * /dev/vcio for kernels that lack it, for tests: takes a property message by the call that Raspberry Pi's kernel has.
 *
 * On a board with the firmware's mailbox the messages about the rows of the device key go there, so that they are those
 * of the board, or of what QEMU has in their place. Elsewhere the rows are the module's own (rows=0x…,0x…, eight of them,
 * blank if none are given), and can be written once, as in the board.
 *
 * The firmware's service that computes with the key is the module's own everywhere, for QEMU has none; with service=0
 * there is none, as in older firmware. That can be changed while it runs.
 */
#include <crypto/hash.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>
#include <soc/bcm2835/raspberrypi-firmware.h>

#define EXCHANGE _IOWR(100, 0, char *)
/* The longest message there is: an HMAC of 2,048 bytes, with its head and end. */
#define LONGEST 4096
#define HEAD 20
#define ANSWERED 0x80000000
#define FAILED 0x80000000
#define ROWS 8
#define KEY_LENGTH 32

#define READ_ROWS 0x00030081
#define WRITE_ROWS 0x00038081
#define LAST_ERROR 0x0003008E
#define COUNT_KEYS 0x0003008F
#define KEY_STATUS 0x00030090
#define HMAC 0x00030092

static u32 rows[ROWS];
static int given = ROWS;
module_param_array(rows, uint, &given, 0400);
static bool service = true;
module_param(service, bool, 0600);

static DEFINE_MUTEX(lock);
static struct rpi_firmware *firmware;
static struct class *class;
static struct cdev device;
static u32 last_error;

/* The rows are those of the board where it has some. */
static int read_rows(u32 *to)
{
	u32 message[2 + ROWS] = { 0, ROWS };
	int error;

	if (!firmware) {
		memcpy(to, rows, sizeof(rows));
		return 0;
	}
	error = rpi_firmware_property(firmware, READ_ROWS, message, sizeof(message));
	if (!error)
		memcpy(to, message + 2, sizeof(rows));
	return error;
}

static int write_rows(const u32 *from)
{
	u32 message[2 + ROWS] = { 0, ROWS };
	int index;

	if (firmware) {
		memcpy(message + 2, from, sizeof(rows));
		return rpi_firmware_property(firmware, WRITE_ROWS, message, sizeof(message));
	}
	/* A bit that is set stays set. */
	for (index = 0; index < ROWS; index++)
		rows[index] |= from[index];
	return 0;
}

static bool is_blank(const u32 *key)
{
	int index;

	for (index = 0; index < ROWS; index++)
		if (key[index])
			return false;
	return true;
}

static int compute(const u32 *key, const u8 *message, u32 length, u8 *to)
{
	struct crypto_shash *hash = crypto_alloc_shash("hmac(sha256)", 0, 0);
	u8 bytes[KEY_LENGTH];
	int index, error;

	if (IS_ERR(hash))
		return PTR_ERR(hash);
	for (index = 0; index < ROWS; index++)
		put_unaligned_be32(key[index], bytes + 4 * index);
	error = crypto_shash_setkey(hash, bytes, sizeof(bytes));
	if (!error)
		error = crypto_shash_tfm_digest(hash, message, length, to);
	memzero_explicit(bytes, sizeof(bytes));
	crypto_free_shash(hash);
	return error;
}

/* Puts the answer in the place of the question and gives its length; 0 where the tag is not known. */
static u32 answer(u32 tag, u8 *values, u32 room)
{
	u32 key[ROWS];

	switch (tag) {
	case READ_ROWS:
		if (room < 8 + sizeof(key) || get_unaligned_le32(values) != 0 || get_unaligned_le32(values + 4) != ROWS)
			return 0;
		if (read_rows(key))
			return 0;
		memcpy(values + 8, key, sizeof(key));
		return 8 + sizeof(key);
	case WRITE_ROWS:
		if (room < 8 + sizeof(key) || get_unaligned_le32(values) != 0 || get_unaligned_le32(values + 4) != ROWS)
			return 0;
		memcpy(key, values + 8, sizeof(key));
		return write_rows(key) ? 0 : 8 + sizeof(key);
	}
	if (!service || room < 4 || read_rows(key))
		return 0;
	switch (tag) {
	case COUNT_KEYS:
		put_unaligned_le32(1, values);
		return 4;
	case KEY_STATUS:
		put_unaligned_le32(is_blank(key) ? FAILED : 1, values);
		return 4;
	case LAST_ERROR:
		put_unaligned_le32(last_error, values);
		return 4;
	case HMAC: {
		u32 length = room < 12 ? 0 : get_unaligned_le32(values + 8);
		u8 made[KEY_LENGTH];

		if (room < 12 + 2048 || length > 2048)
			return 0;
		/* All zeros, or failed. */
		last_error = is_blank(key) ? 6 : 9;
		put_unaligned_le32(FAILED, values);
		put_unaligned_le32(0, values + 4);
		if (is_blank(key) || compute(key, values + 12, length, made))
			return 8;
		last_error = 0;
		put_unaligned_le32(0, values);
		put_unaligned_le32(sizeof(made), values + 4);
		memcpy(values + 8, made, sizeof(made));
		return 8 + sizeof(made);
	}
	}
	return 0;
}

static long exchange(struct file *file, unsigned int call, unsigned long address)
{
	u32 size, room, length;
	long error = 0;
	u8 *message;

	if (call != EXCHANGE)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)address))
		return -EFAULT;
	if (size < HEAD + 4 || size > LONGEST || size % 4)
		return -EINVAL;
	message = memdup_user((void __user *)address, size);
	if (IS_ERR(message))
		return PTR_ERR(message);
	room = get_unaligned_le32(message + 12);
	if (get_unaligned_le32(message) != size || get_unaligned_le32(message + 4) || room != size - HEAD - 4) {
		error = -EINVAL;
		goto out;
	}
	mutex_lock(&lock);
	length = answer(get_unaligned_le32(message + 8), message + HEAD, room);
	mutex_unlock(&lock);
	put_unaligned_le32(ANSWERED, message + 4);
	if (length)
		put_unaligned_le32(ANSWERED | length, message + 16);
	if (copy_to_user((void __user *)address, message, size))
		error = -EFAULT;
out:
	kfree_sensitive(message);
	return error;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = exchange,
};

/* Raspberry Pi's own kernel gives it this number and name. */
static const dev_t number = MKDEV(100, 0);

static int __init begin(void)
{
	struct device_node *node = of_find_compatible_node(NULL, NULL, "raspberrypi,bcm2835-firmware");
	int error;

	if (node) {
		firmware = rpi_firmware_get(node);
		of_node_put(node);
		if (!firmware)
			return -EPROBE_DEFER;
	}
	error = register_chrdev_region(number, 1, "vcio");
	if (error)
		goto no_number;
	cdev_init(&device, &operations);
	error = cdev_add(&device, number, 1);
	if (error)
		goto no_device;
	class = class_create("vcio");
	if (IS_ERR(class)) {
		error = PTR_ERR(class);
		goto no_class;
	}
	if (IS_ERR(device_create(class, NULL, number, NULL, "vcio"))) {
		error = -ENODEV;
		goto no_file;
	}
	return 0;
no_file:
	class_destroy(class);
no_class:
	cdev_del(&device);
no_device:
	unregister_chrdev_region(number, 1);
no_number:
	if (firmware)
		rpi_firmware_put(firmware);
	return error;
}

static void __exit end(void)
{
	device_destroy(class, number);
	class_destroy(class);
	cdev_del(&device);
	unregister_chrdev_region(number, 1);
	if (firmware)
		rpi_firmware_put(firmware);
}

module_init(begin);
module_exit(end);
MODULE_DESCRIPTION("The firmware's mailbox for programs, and its service for the board's key");
MODULE_LICENSE("Dual MIT/GPL");
